"""The bundle that the proxy starts from, and the program in its container that fetches it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import threading
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway import server
from stacks.gateway_bundle import bootstrap_source, build_gateway_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CONFIG = "model_list: []\n"
SECRET = "canary-master-key"
# In the server's place: tells what it was told to serve.
UVICORN = """
import json, os
def run(app, **options):
    import gateway.proxy.serve
    print(json.dumps({
        "target": app,
        "port": options["port"],
        "config": os.environ["STRANDLINE_GATEWAY_CONFIG"],
        "code": gateway.proxy.serve.__file__,
        "home": os.environ["HOME"],
        "folder": os.getcwd(),
    }))
"""


@contextmanager
def bucket(objects: Mapping[str, bytes]) -> Iterator[str]:
    """An S3 of these objects on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = objects.get(self.path.partition("?")[0])
            self.send_response(200 if content is not None else 404)
            body = content if content is not None else b"<Error><Code>NoSuchKey</Code></Error>"
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def start(tmp_path: Path, endpoint: str, location: str) -> subprocess.CompletedProcess[str]:
    """Starts the bootstrap as its container does."""
    packages = tmp_path / "packages"
    packages.mkdir(exist_ok=True)
    (packages / "uvicorn.py").write_text(UVICORN)
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(packages),
        "TMPDIR": str(scratch),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "LITELLM_MASTER_KEY": SECRET,
    }
    command = [sys.executable, "-c", bootstrap_source(), location, *server.arguments(4000)]
    return subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )


def told(result: subprocess.CompletedProcess[str]) -> list[dict[str, str]]:
    return [json.loads(line) for line in result.stderr.splitlines()]


def test_the_same_input_gives_the_same_bytes() -> None:
    first = build_gateway_bundle(CONFIG, {"b.json": b"{}", "a.json": b"[]"})
    second = build_gateway_bundle(CONFIG, {"a.json": b"[]", "b.json": b"{}"})

    assert first == second
    assert first.sha256 == hashlib.sha256(first.content).hexdigest()
    assert build_gateway_bundle(CONFIG + "# changed\n").sha256 != build_gateway_bundle(CONFIG).sha256


def test_a_bundle_holds_configuration_scenarios_and_what_runs_in_the_proxy_and_nothing_else() -> None:
    bundle = build_gateway_bundle(CONFIG, {"hello.json": b"{}"})

    with zipfile.ZipFile(io.BytesIO(bundle.content)) as archive:
        names = set(archive.namelist())
        assert archive.read("config.yaml").decode() == CONFIG
    assert {"scenarios/hello.json", "gateway/__init__.py", "gateway/proxy/hooks.py"} <= names
    assert all(
        name.startswith(("gateway/proxy/", "scenarios/")) for name in names - {"config.yaml", "gateway/__init__.py"}
    )
    assert "gateway/proxy/bootstrap.py" not in names
    assert all(name.endswith((".py", ".yaml", ".json")) for name in names)


def test_the_bootstrap_fits_a_container_definition() -> None:
    # A task definition takes 64 KiB ("Amazon ECS service quotas").
    assert len(bootstrap_source()) < 8 * 1024


def test_the_bootstrap_becomes_the_server_of_our_configuration_and_code(tmp_path: Path) -> None:
    bundle = build_gateway_bundle(CONFIG)
    key = f"/assets/{bundle.sha256}.zip"

    with bucket({key: bundle.content}) as endpoint:
        result = start(tmp_path, endpoint, f"s3:/{key}")

    assert result.returncode == 0, result.stderr
    seen = json.loads(result.stdout)
    folder = tmp_path / "scratch" / "gateway"
    assert (seen["target"], seen["port"]) == ("gateway.proxy.serve:load_application", 4000)
    assert Path(seen["config"]) == folder / "config.yaml"
    assert Path(seen["config"]).read_text() == CONFIG
    assert seen["code"].startswith(str(folder))
    assert (seen["home"], seen["folder"]) == (str(tmp_path / "scratch"), str(folder))
    assert [line["message"] for line in told(result)] == ["gateway task starts"]


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"another bundle", "0" * 64, "the bundle is not the one that its name promises: its bytes have another hash"),
        (None, "0" * 64, "S3 refused the bundle: NoSuchKey"),
        (None, "latest", "the bundle's address is not s3://bucket/<sha256>.zip"),
    ],
)
def test_what_is_not_the_bundle_is_refused_in_one_line(
    tmp_path: Path, content: bytes | None, name: str, message: str
) -> None:
    objects = {f"/assets/{name}.zip": content} if content is not None else {}

    with bucket(objects) as endpoint:
        result = start(tmp_path, endpoint, f"s3://assets/{name}.zip")

    assert (result.returncode, result.stdout) == (3, "")
    assert [line["message"] for line in told(result)] == [message]
    assert not (tmp_path / "scratch" / "gateway").exists()
    assert SECRET not in result.stderr
