"""Which image a tag means: asked of a local server that speaks the OCI distribution API as ghcr.io does."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner

from agent_runtime.errors import EnvironmentFault, InputError
from gateway.image import ImageLock, LockedImage, read_image_lock, write_image_lock
from strandline.cli import app
from strandline.container_registry import Reference, resolve_digest

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
TOKEN = "canary-anonymous-token"


def digest_of(body):
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def entry(body, os, architecture, **more):
    platform = {"os": os, "architecture": architecture, **more}
    return {"mediaType": MANIFEST, "digest": digest_of(body), "size": len(body), "platform": platform}


class Registry:
    """A registry with one repository, whose manifests are given by tag or digest."""

    def __init__(self):
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.told_digests: dict[str, str] = {}
        self.gives_tokens = True
        self.paths: list[str] = []
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                registry.answer(self)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.realm = f"http://{self.host}/token"

    def __enter__(self):
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def add(self, name, document, media_type=INDEX):
        body = json.dumps(document).encode() if isinstance(document, dict) else document
        self.manifests[name] = self.manifests[digest_of(body)] = (media_type, body)
        return body

    def answer(self, request):
        self.paths.append(request.path)
        path, query = urlsplit(request.path).path, parse_qs(urlsplit(request.path).query)
        if path == "/token":
            asked = query.get("scope") == ["repository:owner/litellm:pull"] and query.get("service") == ["test"]
            body = json.dumps({"token": TOKEN}).encode()
            return self._send(request, 200 if asked and self.gives_tokens else 403, "application/json", body)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            challenge = f'Bearer realm="{self.realm}",service="test",scope="repository:owner/litellm:pull"'
            return self._send(request, 401, "application/json", b"{}", {"WWW-Authenticate": challenge})
        name = path.removeprefix("/v2/owner/litellm/manifests/")
        if name not in self.manifests:
            return self._send(request, 404, "application/json", b'{"errors": []}')
        media_type, body = self.manifests[name]
        assert media_type in request.headers["Accept"]
        told = self.told_digests.get(name, digest_of(body))
        return self._send(request, 200, media_type, body, {"Docker-Content-Digest": told})

    def _send(self, request, status, content_type, body, headers=None):
        request.send_response(status)
        for name, value in {"Content-Type": content_type, "Content-Length": str(len(body)), **(headers or {})}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)


@pytest.fixture
def registry():
    with Registry() as running:
        arm = running.add("arm", {"schemaVersion": 2, "mediaType": MANIFEST, "config": {"digest": "arm"}}, MANIFEST)
        amd = running.add("amd", {"schemaVersion": 2, "mediaType": MANIFEST, "config": {"digest": "amd"}}, MANIFEST)
        attestation = entry(b"{}", "unknown", "unknown")
        images = [entry(amd, "linux", "amd64"), entry(arm, "linux", "arm64", variant="v8"), attestation]
        running.index = digest_of(
            running.add("v1.102.4", {"schemaVersion": 2, "mediaType": INDEX, "manifests": images})
        )
        running.arm = digest_of(arm)
        running.amd_entry = entry(amd, "linux", "amd64")
        yield running


def resolve(registry, tag="v1.102.4"):
    return resolve_digest(Reference(registry.host, "owner/litellm", tag), os="linux", architecture="arm64")


def test_the_digest_is_that_of_the_index_of_platforms(registry):
    assert resolve(registry) == registry.index
    # Asked without a name first, then with the token that anybody gets, and only once for it.
    assert [path.partition("?")[0] for path in registry.paths].count("/token") == 1


def test_a_tag_that_does_not_exist_is_said(registry):
    with pytest.raises(InputError, match="no owner/litellm at v9"):
        resolve(registry, "v9")


def test_an_image_without_the_platform_names_those_that_it_has(registry):
    registry.add("v1", {"schemaVersion": 2, "mediaType": INDEX, "manifests": [registry.amd_entry]})
    with pytest.raises(InputError, match="not built for linux/arm64: it has linux/amd64"):
        resolve(registry, "v1")


def test_an_image_that_is_no_index_is_refused(registry):
    with pytest.raises(InputError, match="for one platform"):
        resolve(registry, "amd")


def test_an_index_that_names_a_manifest_that_is_not_there_is_refused(registry):
    lost = entry(b"lost", "linux", "arm64")
    registry.add("v1", {"schemaVersion": 2, "mediaType": INDEX, "manifests": [lost]})
    with pytest.raises(InputError, match=lost["digest"]):
        resolve(registry, "v1")


def test_a_manifest_that_is_not_what_its_digest_says_is_refused(registry):
    media_type, body = registry.manifests[registry.arm]
    registry.manifests[registry.arm] = (media_type, body.replace(b"arm", b"bad"))
    with pytest.raises(EnvironmentFault, match="nothing was pinned"):
        resolve(registry)


def test_a_registry_that_tells_another_digest_than_it_sends_is_refused(registry):
    registry.told_digests["v1.102.4"] = "sha256:" + "0" * 64
    with pytest.raises(EnvironmentFault, match="nothing was pinned"):
        resolve(registry)


def test_a_private_image_is_said(registry):
    registry.gives_tokens = False
    with pytest.raises(EnvironmentFault, match="is the image public"):
        resolve(registry)


@pytest.mark.parametrize("realm", ["http://example.com/token", "ftp://127.0.0.1/token", ""])
def test_a_token_is_fetched_over_tls_only(registry, realm):
    registry.realm = realm
    with pytest.raises(EnvironmentFault, match="no anonymous access"):
        resolve(registry)


def test_a_registry_that_cannot_be_reached_is_said():
    with Registry() as registry:
        host = registry.host
    with pytest.raises(EnvironmentFault, match="cannot be reached"):
        resolve_digest(Reference(host, "owner/litellm", "v1"), os="linux", architecture="arm64")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("ghcr.io/berriai/litellm:v1.102.4", "https://ghcr.io/v2"),
        ("registry.example.com:5000/a/b/c:main-x", "https://registry.example.com:5000/v2"),
        ("localhost:5000/a:b", "http://localhost:5000/v2"),
    ],
)
def test_an_image_is_read(text, url):
    assert str(Reference.parse(text)) == text
    assert Reference.parse(text).url == url


@pytest.mark.parametrize(
    "text", ["litellm:v1", "berriai/litellm:v1", "ghcr.io/berriai/litellm", "ghcr.io/a@sha256:00", "ghcr.io/../a:b", ""]
)
def test_what_names_no_registry_or_no_tag_is_refused(text):
    with pytest.raises(InputError, match="names no image"):
        Reference.parse(text)


@pytest.fixture
def lock(registry, tmp_path):
    """A lock whose image is in the local registry and was never looked up."""
    file = tmp_path / "image.lock"
    image = LockedImage(repository=f"{registry.host}/owner/litellm", tag="v1.102.4")
    write_image_lock(ImageLock(managed=image), file)
    return file


def pin(lock, *arguments):
    return CliRunner().invoke(app, ["gateway", "pin-image", "--lock", str(lock), *arguments])


def test_the_command_writes_the_digest_into_the_lock_and_twice_the_same(registry, lock):
    first = pin(lock, "--json")

    assert first.exit_code == 0, first.output
    told = json.loads(first.stdout)
    assert (told["digest"], told["before"], told["changed"]) == (registry.index, None, True)
    written = lock.read_text()
    assert read_image_lock(lock).managed.digest == registry.index
    assert json.loads(pin(lock, "--json").stdout)["changed"] is False
    assert lock.read_text() == written


def test_a_check_changes_nothing_and_fails_once_the_tag_was_moved(registry, lock):
    assert pin(lock).exit_code == 0
    written = lock.read_text()
    assert pin(lock, "--check").exit_code == 0
    images = json.loads(registry.manifests["v1.102.4"][1]) | {"annotations": {"moved": "yes"}}
    registry.add("v1.102.4", images)

    moved = pin(lock, "--check")

    assert isinstance(moved.exception, InputError)
    assert registry.index in str(moved.exception)
    assert lock.read_text() == written


def test_an_image_for_the_other_profile_stands_beside(registry, lock):
    registry.add("v1.102.5", json.loads(registry.manifests["v1.102.4"][1]))

    assert pin(lock, "--profile", "stateless", "--image", f"{registry.host}/owner/litellm:v1.102.5").exit_code == 0

    found = read_image_lock(lock)
    assert (found.stateless.tag, found.stateless.digest) == ("v1.102.5", registry.index)
    assert found.managed.digest is None


@pytest.mark.parametrize(
    ("tag", "part"),
    [("v1.82.7", "malware"), ("v1.82.8", "malware"), ("v1.83.9", "before 1.84.0"), ("main-stable", "can be moved")],
)
def test_a_release_that_must_not_run_is_refused_before_anybody_is_asked(registry, lock, tag, part):
    refused = pin(lock, "--image", f"{registry.host}/owner/litellm:{tag}")

    assert isinstance(refused.exception, InputError)
    assert part in str(refused.exception)
    assert registry.paths == []
