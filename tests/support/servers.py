"""PostgreSQL and Redis for tests: the real ones, from Debian's packages, on loopback and gone with the tests.

from tests.support.servers import new_database, redis_server

url = new_database(migrations)      # postgresql://...; one server for the process, one database for each call
with redis_server() as port: ...
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

_USER = "strandline"
_START_SECONDS = 60
_counter = itertools.count()


def new_database(migrations: Path) -> str:
    """Makes a database to which LiteLLM's migrations were applied; it is a copy, which takes a moment only.

    Args:
        migrations: Folder of Prisma's migrations: `<name>/migration.sql`, in the order of their names.

    Returns:
        Its URL.
    """
    server = _postgres()
    template = server.template(migrations)
    name = f"{template}_{next(_counter)}"
    server.run("createdb", "--template", template, name)
    return server.url(name)


@contextmanager
def redis_server():
    """Runs Redis; gives its port."""
    port = free_port()
    # It takes all of its memory with it: nothing is written.
    command = [program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen([*bound_to_us(), *command], cwd=folder, stdout=subprocess.DEVNULL)
        try:
            _wait_for_port(port, process)
            yield port
        finally:
            process.terminate()
            process.wait(30)


class _Postgres:
    def __init__(self) -> None:
        # Not in a test's folder, which only its own user may enter: PostgreSQL refuses to run as root.
        self._folder = Path(tempfile.mkdtemp(prefix="strandline-postgres-"))
        self._port = free_port()
        self._templates: set[str] = set()
        drop = bound_to_us()
        if os.geteuid() == 0:
            shutil.chown(self._folder, "nobody")
            drop += ["--reuid=nobody", "--clear-groups"]
        data = self._folder / "data"
        command = [program("initdb"), "-D", data, "-U", _USER, "--auth=trust", "--no-sync", "--no-locale", "-E", "UTF8"]
        done = subprocess.run([*drop, *command], cwd="/", capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        settings = {
            "port": self._port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "full_page_writes": "off",
            "synchronous_commit": "off",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("w") as log:
            self._process = subprocess.Popen(
                [*drop, program("postgres"), "-D", data, *options], cwd="/", stdout=log, stderr=log
            )
        atexit.register(self._stop)
        for _ in range(_START_SECONDS * 10):
            if self._ask("pg_isready").returncode == 0:
                return
            assert self._process.poll() is None, (self._folder / "log").read_text()
            time.sleep(0.1)
        raise AssertionError((self._folder / "log").read_text())

    def template(self, migrations: Path) -> str:
        """The name of the database that others are copies of."""
        name = f"template_{hashlib.sha256(str(migrations).encode()).hexdigest()[:12]}"
        if name not in self._templates:
            self.run("createdb", name)
            files = sorted(migrations.glob("*/migration.sql"))
            assert files, f"there are no migrations in {migrations}"
            everything = "\n".join(file.read_text() for file in files)
            self.run("psql", "--quiet", "--set", "ON_ERROR_STOP=1", name, stdin=everything)
            self._templates.add(name)
        return name

    def url(self, name: str) -> str:
        return f"postgresql://{_USER}:unused@127.0.0.1:{self._port}/{name}"

    def run(self, tool: str, *arguments: str, stdin: str = "") -> None:
        done = self._ask(tool, *arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr

    def demand_passwords(self, name: str) -> None:
        """Lets nobody into this database without a password; the others stay open."""
        rules = self._folder / "data" / "pg_hba.conf"
        rules.write_text(f"host {name} all 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
        self.run("psql", "--quiet", "postgres", stdin="SELECT pg_reload_conf()")

    def may_log_in(self, name: str, password: str) -> bool:
        """Whether the owner is let into a database with a password."""
        where = ["--host", "127.0.0.1", "--port", str(self._port), "--username", _USER]
        command = [program("psql"), *where, "--no-password", "--command", "SELECT 1", name]
        variables = {**os.environ, "PGPASSWORD": password}
        return subprocess.run(command, env=variables, capture_output=True, check=False).returncode == 0

    def _ask(self, tool: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        where = ["--host", "127.0.0.1", "--port", str(self._port), "--username", _USER]
        return subprocess.run(
            [program(tool), *where, *arguments], input=stdin, capture_output=True, text=True, check=False
        )

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


@functools.cache
def _postgres() -> _Postgres:
    return _Postgres()


def program(name: str) -> str:
    """A server's or a tool's program; Debian keeps PostgreSQL's out of PATH."""
    found = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))]
    path = found[-1] if found else shutil.which(name)
    assert path, f"{name} is not installed: run tests/support/services.sh"
    return path


def bound_to_us() -> list[str]:
    """Starts a program so that it ends with this process, however this process ends; where the system can."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "INT"] if setpriv else []


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(_START_SECONDS * 20):
        assert process.poll() is None, "the server ended at once"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"nothing listens on port {port}")


def demand_passwords(url: str, administrator: str, role: str, password: str) -> str:
    """Lets nobody into a database without a password any more, and makes the role that the gateway connects as.

    Args:
        url: The database, as `new_database` gives it.
        administrator: The password of its owner from now on.
        role: Name of the other role.
        password: Its password.

    Returns:
        The database's URL for that role.
    """
    server, name = _postgres(), url.rpartition("/")[2]
    grants = "\n".join(
        f"GRANT ALL ON ALL {things} IN SCHEMA public TO {role};" for things in ("TABLES", "SEQUENCES", "FUNCTIONS")
    )
    server.run("psql", "--quiet", name, stdin=f"CREATE ROLE {role} LOGIN PASSWORD '{password}';\n{grants}")
    set_password(administrator)
    server.demand_passwords(name)
    return url.replace(f"{_USER}:unused@", f"{role}:{password}@")


def set_password(password: str) -> None:
    """Gives the owner of the databases another password, as RDS does when it rotates it."""
    _postgres().run("psql", "--quiet", "postgres", stdin=f"ALTER ROLE {_USER} PASSWORD '{password}'")


def may_log_in(url: str, password: str) -> bool:
    """Whether the owner is let into a database with a password."""
    return _postgres().may_log_in(url.rpartition("/")[2], password)
