"""Every kind of secret rotated while agents are asked twenty times a second: `python -m benchmarks.drill`.

Two gateways on local clouds: the one that `strandline deploy` makes, on ECS, and a managed one with PostgreSQL. What is
asked are handlers' processes, every other request as a stream; what answers is a provider that counts by key.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.table import Report
from strandline.local_cloud import LocalCloud
from strandline.local_cloud.settings import CloudSettings
from tests.e2e.conftest import deployed_project
from tests.local_cloud.cloud_clients import free_port
from tests.support import managed_world as managed
from tests.support.deployed_world import DeployedWorld
from tests.support.drill import CACHE_SECONDS, RATE, ROOT, Load, until_everywhere
from tests.support.openai_server import OpenAIServer, Reply
from tests.support.servers import may_log_in, set_password

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CALM_SECONDS, WARM_SECONDS = 12.0, 3.0
"""Long enough for a 99th percentile that one slow answer does not decide; and before, until connections are open."""
AFTER_SECONDS = 5.0
# A model takes its time; without it the figures would be those of this machine's processor, which starts tasks besides.
PACED = Reply(delay=0.5, pause=0.06)
_LOOK_SECONDS, _BECOMES_SECONDS = 0.2, 5.0
_COLUMNS = {
    "kind": "kind",
    "requests": "requests",
    "failed": "failed",
    "p99_calm_ms": "p99 calm, ms",
    "p99_rotating_ms": "p99 rotating, ms",
    "p99_ratio": "ratio",
    "seconds_until_everywhere": "new value everywhere, s",
    "old_key_uses_after": "uses of the old one after",
}


@contextmanager
def starting_aside(folder: str) -> Iterator[None]:
    """Lets new tasks of the gateway start in what the others leave of the processors: on Fargate each has its own."""
    ended = threading.Event()

    def look() -> None:
        known: set[psutil.Process] = set()
        while not ended.wait(_LOOK_SECONDS):
            for process in psutil.process_iter():
                # A task is another program first, which fetches its configuration and becomes the proxy.
                with suppress(psutil.Error):
                    is_new = time.time() - process.create_time() < _BECOMES_SECONDS
                    if is_new and process not in known and (address := _address_of_task(process, folder)):
                        known.add(process)
                        threading.Thread(target=_start_aside, args=(process, address)).start()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _start_aside(process: psutil.Process, address: tuple[str, int]) -> None:
    with suppress(psutil.Error):
        _schedule(process, os.SCHED_IDLE)
        # The proxy listens once it is loaded.
        while process.is_running():
            with suppress(OSError), socket.create_connection(address, timeout=_LOOK_SECONDS):
                break
            time.sleep(_LOOK_SECONDS)
        _schedule(process, os.SCHED_OTHER)


def _address_of_task(process: psutil.Process, folder: str) -> tuple[str, int] | None:
    """Where a process is going to listen, if it is a task that the drill's cloud starts."""
    command, variables = process.cmdline(), process.environ()
    is_task = "gateway.proxy.serve" in command and "HOST" in variables
    if not is_task or not any(folder in value for value in variables.values()):
        return None
    return variables["HOST"], int(command[command.index("--port") + 1])


def _schedule(process: psutil.Process, policy: int) -> None:
    for one in (process, *process.children(recursive=True)):
        # Linux schedules each thread by a policy of its own.
        for thread in one.threads():
            os.sched_setscheduler(thread.id, policy, os.sched_param(0))


def drill(kind: str, url: str, rotate: Callable[[], float], count_uses_after: Callable[[float], int]) -> dict[str, Any]:
    """Rotates one kind under load.

    Args:
        kind: What it is called in the table.
        url: The handler that is asked.
        rotate: Rotates; gives the seconds after which the new value was in use everywhere.
        count_uses_after: Counts uses of the old value since a moment, once no request is on its way.

    Returns:
        The row.
    """
    with Load([url]) as load:
        load.calm(CALM_SECONDS, WARM_SECONDS)
        seconds = rotate()
        ended = time.monotonic()
        time.sleep(AFTER_SECONDS)
    for fault in load.faults:
        print(f"{kind}: {fault}", file=sys.stderr)
    row = load.row(kind, seconds_until_everywhere=seconds, old_key_uses_after=count_uses_after(ended))
    print(row, file=sys.stderr)
    return row


def drill_deployed(folder: Path, provider: OpenAIServer) -> tuple[list[dict[str, Any]], list[str]]:
    """The kinds of a gateway on ECS: a provider's key, its master key, and its key for inference."""
    (folder / "project").mkdir(parents=True)
    (folder / "home").mkdir()
    with ExitStack() as stack:
        made = stack.enter_context(deployed_project(folder / "project", folder / "home", provider))
        world = DeployedWorld(made)
        handler = stack.enter_context(world.handler("routed", folder / "routed.log"))
        new = "canary-provider-after-the-drill"

        def rotate_provider() -> float:
            begun = time.monotonic()
            world.rotate("PROVIDER_API_KEY", values={"PROVIDER_API_KEY": new})
            return time.monotonic() - begun

        def rotate_own(name: str) -> Callable[[], float]:
            def rotate() -> float:
                begun = time.monotonic()
                world.rotate(name)
                return time.monotonic() - begun

            return rotate

        before = {name: world.value(name) for name in ("LITELLM_MASTER_KEY", "STRANDLINE_GATEWAY_KEY")}
        old_provider = made.canaries["PROVIDER_API_KEY"]
        rows = [
            drill("provider", handler.url, rotate_provider, lambda ended: _uses(provider, old_provider, ended)),
            drill(
                "master",
                handler.url,
                rotate_own("LITELLM_MASTER_KEY"),
                lambda _: int(world.opens(before["LITELLM_MASTER_KEY"])),
            ),
            drill(
                "inference",
                handler.url,
                rotate_own("STRANDLINE_GATEWAY_KEY"),
                lambda _: int(world.opens(before["STRANDLINE_GATEWAY_KEY"])),
            ),
        ]
        values = [new, old_provider, *before.values(), *(world.value(name) for name in before)]
        leaks = _leaks(values, world.console.file.getvalue(), folder)
        print(world.console.file.getvalue())
    return rows, leaks


def drill_managed(folder: Path, provider: OpenAIServer) -> tuple[list[dict[str, Any]], list[str]]:
    """The kinds of a managed gateway: an agent's key, headers that work together, the database's password."""
    folder.mkdir()
    cloud = LocalCloud(folder / "home", CloudSettings())
    (folder / "home").mkdir()
    (folder / "home" / "venvs").symlink_to(ROOT / ".strandline" / "venvs")
    cloud.up(free_port())
    with ExitStack() as stack:
        stack.callback(cloud.down)
        world = stack.enter_context(managed.managed_world(cloud, folder, provider))
        behind, direct = world.handlers[managed.BEHIND], world.handlers[managed.DIRECT]
        old, headers = world.value(managed.AGENT_KEY), {"ACCESS_ID": "canary-id-9", "ACCESS_SECRET": "canary-header-9"}

        def rotate_virtual() -> float:
            begun = time.monotonic()
            world.rotate(managed.AGENT_KEY, grace_seconds=CACHE_SECONDS, wait=False)
            until_everywhere([behind], {managed.AGENT_KEY: world.version(managed.AGENT_KEY)})
            seconds = time.monotonic() - begun
            time.sleep(CACHE_SECONDS)
            return seconds

        def rotate_headers() -> float:
            begun = time.monotonic()
            world.rotate(*headers, values=headers, wait=False)
            until_everywhere([direct], {name: world.version(name) for name in headers})
            return time.monotonic() - begun

        def rotate_database() -> float:
            begun = time.monotonic()
            set_password("canary-administrator-after")
            return time.monotonic() - begun

        rows = [
            drill("headers", direct.url, rotate_headers, lambda ended: _header_uses(provider, ended)),
            drill("virtual", behind.url, rotate_virtual, lambda _: int(world.opens(old))),
            drill(
                "database",
                behind.url,
                rotate_database,
                lambda _: int(may_log_in(world.database, managed.ADMINISTRATOR)),
            ),
        ]
        values = [old, world.value(managed.AGENT_KEY), *headers.values(), managed.ADMINISTRATOR, managed.DATABASE_KEY]
        leaks = _leaks(values, world.console.file.getvalue(), folder)
        print(world.console.file.getvalue())
    return rows, leaks


def _uses(provider: OpenAIServer, key: str, since: float) -> int:
    return sum(request.key == key and request.arrived >= since for request in provider.requests)


def _header_uses(provider: OpenAIServer, since: float) -> int:
    old = "canary-header-1"
    return sum(
        request.header("cf-access-client-secret") == old and request.arrived >= since for request in provider.requests
    )


def _leaks(values: list[str], told: str, folder: Path) -> list[str]:
    """Where a value stands in what the drill has written; its own project, in which nothing is secret, aside."""
    found = ["the output"] if any(value in told for value in values) else []
    for path in folder.rglob("*"):
        is_ours = not path.is_symlink() and "venvs" not in path.parts and "artefacts" not in path.parts
        if is_ours and path.is_file() and any(value.encode() in path.read_bytes() for value in values):
            found.append(str(path.relative_to(folder)))
    return found


def main() -> int:
    """Runs the drill; ends with 1 if a request failed or an old value was used."""
    report = Report("drill", f"Rotations under {RATE} requests a second, half of them streams", _COLUMNS)
    leaks: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="strandline-drill-") as name,
        OpenAIServer(PACED, look_seconds=1.0) as provider,
        starting_aside(name),
    ):
        for part in (drill_managed, drill_deployed):
            rows, found = part(Path(name) / part.__name__, provider)
            report.rows += rows
            leaks += found
    requests = sum(row["requests"] for row in report.rows)
    bad = [row["kind"] for row in report.rows if row["failed"] or row["old_key_uses_after"]]
    slow = [row["kind"] for row in report.rows if row["p99_ratio"] >= 2]
    report.notes += [
        f"{requests:,} requests; handlers keep a secret for {CACHE_SECONDS} s here, for 300 s in production.",
        "database: RDS rotates the administrator's password, and a gateway on AWS has IAM tokens and no password; "
        "here the password is altered in PostgreSQL while the gateway works on with a role of its own.",
        "On Fargate each task has a processor of its own; here a new one starts in what all else leaves of two.",
        "provider, master and inference take as long as ECS takes to replace the gateway's tasks.",
        f"Values found in logs, files and output: {', '.join(leaks) or 'none'}.",
        f"0 failed and no use of an old value after its rotation: {'no: ' + ', '.join(bad) if bad else 'yes'}; "
        f"p99 below twice the calm one: {'no: ' + ', '.join(slow) if slow else 'yes'}.",
    ]
    report.publish()
    return 1 if bad or leaks else 0


if __name__ == "__main__":
    sys.exit(main())
