"""What looks into the traffic of the real proxy: Presidio, services that are told of each call, and names by task."""

from __future__ import annotations

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from gateway.compile import compile_config
from gateway.settings import GatewaySettings
from gateway.target import GatewayTarget
from tests.support.litellm_proxy import MASTER_KEY, litellm_proxy
from tests.support.openai_server import OpenAIServer

SECRETS = {
    "PROVIDER_KEY": "sk-canary-provider",
    "OTLP_HEADERS": "x-team=canary-otel",
    "LANGFUSE_PUBLIC_KEY": "pk-lf-canary",
    "LANGFUSE_SECRET_KEY": "sk-lf-canary",
    "LANGSMITH_API_KEY": "ls-canary",
    "HELICONE_API_KEY": "sk-helicone-canary",
}
ADDRESS, CARD = "ada@example.com", "4111111111111111"
FOUND = {ADDRESS: "EMAIL_ADDRESS", CARD: "CREDIT_CARD"}
WORD = "canary-word-of-a-prompt"
WAIT_SECONDS = 60


class Services(ThreadingHTTPServer):
    """Presidio's two servers, and everybody who is told of calls."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.posts: list[tuple[str, dict[str, str], str]] = []
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.005})

    def __enter__(self) -> Services:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.thread.join()
        self.server_close()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"

    def wait_for(self, path: str) -> tuple[dict[str, str], str]:
        """Headers and body of the first request to a path that begins so."""

        def first() -> tuple[dict[str, str], str] | None:
            return next(((headers, body) for at, headers, body in self.posts if at.startswith(path)), None)

        with self.changed:
            found = self.changed.wait_for(first, WAIT_SECONDS)
        assert found, f"nobody asked {path}; asked were {sorted({at for at, *_ in self.posts})}"
        return found


class _Handler(BaseHTTPRequestHandler):
    server: Services
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        text = body.decode(errors="replace")
        with self.server.changed:
            self.server.posts.append((self.path, {name.lower(): one for name, one in self.headers.items()}, text))
            self.server.changed.notify_all()
        answer = json.dumps(self._answer(text)).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _answer(self, text: str) -> Any:
        if self.path.endswith("/analyze"):
            prompt = json.loads(text)["text"]
            return [
                {"entity_type": kind, "start": at, "end": at + len(part), "score": 1.0}
                for part, kind in FOUND.items()
                if (at := prompt.find(part)) >= 0
            ]
        if self.path.endswith("/anonymize"):
            asked = json.loads(text)
            prompt, items = asked["text"], []
            for one in sorted(asked["analyzer_results"], key=lambda one: -one["start"]):
                word = f"<{one['entity_type']}>"
                prompt = prompt[: one["start"]] + word + prompt[one["end"] :]
                items.append({**one, "text": word, "operator": "replace"})
            return {"text": prompt, "items": items}
        return {}

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def services():
    with Services() as running:
        yield running


@pytest.fixture(scope="module")
def provider():
    with OpenAIServer() as running:
        yield running


@pytest.fixture(scope="module")
def proxy(tmp_path_factory, services, provider):
    """The proxy's address and its log."""
    settings = GatewaySettings.model_validate(
        {
            "models": {
                "small": {"model": "openai/gpt-4.1-mini", "api_key_env": "PROVIDER_KEY", "api_base": provider.base_url},
                "away": {"model": "openai/gpt-5", "mock_response": "litellm.RateLimitError", "fallbacks": ["small"]},
            },
            "aliases": {"simple": "small", "writing": "away"},
            "retries": {"count": 0},
            "guardrails": [
                {
                    "name": "personal-data",
                    "presidio": {
                        "analyzer_url": services.url("analyzer/"),
                        "anonymizer_url": services.url("anonymizer/"),
                        "entities": {"EMAIL_ADDRESS": "mask", "CREDIT_CARD": "block"},
                    },
                }
            ],
            "callbacks": {
                "otel": {"endpoint": services.url("collector"), "headers_env": "OTLP_HEADERS"},
                "langfuse": {"host": services.url("langfuse")},
                "langsmith": {"base_url": services.url("langsmith"), "project": "tides"},
                "helicone": {"api_base": services.url("helicone")},
            },
        }
    )
    config = tmp_path_factory.mktemp("integrations") / "config.yaml"
    config.write_text(compile_config(settings, GatewayTarget(profile="stateless", execution_mode="staging")))
    with litellm_proxy(config, **SECRETS) as running:
        yield running


@pytest.fixture
def ask(proxy):
    def post(model: str, prompt: str = f"Say hello. {WORD}") -> httpx.Response:
        return httpx.post(
            f"{proxy[0]}/v1/chat/completions",
            headers={"Authorization": f"Bearer {MASTER_KEY}"},
            json={"model": model, "messages": [{"role": "user", "content": prompt}]},
            timeout=60,
        )

    return post


def test_a_name_by_task_is_answered_by_its_model(ask):
    answer = ask("simple")
    assert (answer.status_code, answer.headers["x-litellm-model-id"]) == (200, "small/1")


def test_a_name_by_task_has_the_fallbacks_of_its_model(ask):
    answer = ask("writing")
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-litellm-model-id"] == "small/1"
    assert answer.headers["x-litellm-attempted-fallbacks"] == "1"


def test_what_presidio_finds_does_not_reach_the_provider(ask, provider):
    before = len(provider.requests)
    assert ask("small", f"Write to {ADDRESS}.").status_code == 200
    (request,) = provider.requests[before:]
    assert ADDRESS not in str(request.body)
    assert "Write to <EMAIL_ADDRESS>." in str(request.body)


def test_what_presidio_is_to_block_is_refused(ask, provider):
    before = len(provider.requests)
    answer = ask("small", f"Pay with {CARD}.")
    assert answer.status_code == 400
    assert CARD not in answer.text
    assert provider.requests[before:] == []


@pytest.mark.parametrize(
    ("path", "header", "value"),
    [
        ("/collector/v1/traces", "x-team", "canary-otel"),
        ("/langfuse/api/public/otel", "authorization", "Basic "),
        ("/langsmith/api/v1/runs/batch", "x-api-key", SECRETS["LANGSMITH_API_KEY"]),
        ("/helicone/custom/v1/log", "authorization", f"Bearer {SECRETS['HELICONE_API_KEY']}"),
    ],
)
def test_services_are_told_of_calls_with_their_keys_and_without_what_was_said(ask, services, path, header, value):
    assert ask("small").status_code == 200
    headers, _ = services.wait_for(path)
    assert headers[header].startswith(value)
    told = [body for at, _, body in services.posts if at.startswith(path)]
    assert not any(WORD in body or SECRETS["PROVIDER_KEY"] in body for body in told)


def test_no_secret_stands_in_the_log(ask, proxy):
    ask("small")
    log = proxy[1].read_text()
    assert not [name for name, value in SECRETS.items() if value in log]
