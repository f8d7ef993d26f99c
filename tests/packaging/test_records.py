"""What is packed is what the locked wheels hold, whatever other programs have written into uv's cache."""

from __future__ import annotations

import base64
import hashlib
import threading
import zipfile
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from agent_runtime.errors import EnvironmentFault
from stacks.packaging import HOST
from stacks.packaging.install import install
from stacks.packaging.interpreter import interpreter_for
from stacks.packaging.records import altered_files
from tests.packaging.test_user_packages import wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CERTIFICATES = b"certificates of the world\n"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """A package index and a cache of uv's own."""
    folder = tmp_path / "index"
    (folder / "simple" / "worldcerts").mkdir(parents=True)
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://127.0.0.1:{server.server_port}/simple")
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Index(folder, tmp_path)
        server.shutdown()
        thread.join()


@dataclass
class Index:
    """An index that has one package.

    Attributes:
        folder: What it serves.
        scratch: Where environments are made.
    """

    folder: Path
    scratch: Path

    def publish(self, path: Path) -> None:
        """Offers a wheel, and locks it."""
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        page = f'<a href="/{path.name}#sha256={digest}">{path.name}</a>'
        (self.folder / "simple" / "worldcerts" / "index.html").write_text(page)
        (self.scratch / "own.lock").write_text(f"worldcerts==1.0 --hash=sha256:{digest}\n")

    def installed(self, name: str) -> Path:
        """Installs it for an artefact; gives the file of the package."""
        tree = self.scratch / name
        install([self.scratch / "own.lock"], HOST, interpreter_for(HOST), tree)
        return tree / "worldcerts" / "cacert.pem"


def test_a_file_that_was_changed_in_the_cache_is_taken_from_its_wheel_again(tmp_path: Path, index: Index) -> None:
    # Given a package that uv has unpacked into its cache, and a certificate that somebody has added there
    index.publish(wheel(index.folder, "worldcerts", {"worldcerts/cacert.pem": CERTIFICATES}))
    assert index.installed("before").read_bytes() == CERTIFICATES
    (kept,) = (tmp_path / "cache").rglob("cacert.pem")
    kept.write_bytes(CERTIFICATES + b"a company's\n")

    # When it is installed for an artefact, then it is what the hash in the lock stands for
    assert index.installed("after").read_bytes() == CERTIFICATES


def test_what_never_is_as_recorded_is_refused_by_name(index: Index) -> None:
    path = wheel(index.folder, "worldcerts", {"worldcerts/cacert.pem": CERTIFICATES})
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content + b"more" if name.endswith(".pem") else content)
    index.publish(path)

    with pytest.raises(EnvironmentFault, match=r"^worldcerts/cacert\.pem in uv's cache .* `uv cache clean worldcerts`"):
        index.installed("tree")


def test_packages_that_share_a_file_each_record_their_own(tmp_path: Path) -> None:
    for name, content in (("one", b"1"), ("two", b"2")):
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "RECORD").write_text(f"shared/__init__.py,sha256={digest},1\n{info.name}/RECORD,,\n")
    shared = tmp_path / "shared" / "__init__.py"
    shared.parent.mkdir()

    found = {}
    for content in (b"1", b"2", b"3"):
        shared.write_bytes(content)
        found[content] = altered_files(tmp_path)
    shared.unlink()

    assert [list(files) for files in found.values()] == [[], [], ["shared/__init__.py"]]
    assert list(altered_files(tmp_path)) == ["shared/__init__.py"]
