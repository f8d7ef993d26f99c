"""What can be seen of an agent's handler from outside, started from its bundle and asked once.

Nothing of ours is replaced. What differs by itself from run to run is taken out of what was seen, and so is the hash of
the bundle, which any change of a blueprint changes.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import boto3
import httpx
import pytest
from opentelemetry import trace

from agent_runtime.bundle import build_bundle
from agent_runtime.errors import StrandlineError
from agent_runtime.server import build_app, build_service
from agent_runtime.settings import RuntimeSettings
from agent_runtime.telemetry import metrics
from agent_runtime.tools import build_toolbox
from tests.fields.site import REGION
from tests.providers.conftest import close
from tests.runtime.handler import SESSION, SESSION_HEADER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent_runtime.loader import LoadedBlueprint
    from tests.fields.site import Site
    from tests.support.openai_server import Reply

# Personal data of all kinds: each entity that is left out, and each language, shows.
PROMPT = "When is high water? Tell ann@example.com, or 10.1.2.3, by card 4111 1111 1111 1111 of 55555555K."


def handled(site: Site, agent: LoadedBlueprint, reply: Reply, *, delay: float = 0, status: int = 200) -> dict[str, Any]:
    """Starts an agent's handler, asks it once, and tells what can be seen of it.

    Args:
        site: The outside world.
        agent: The agent of the environment `local`.
        reply: What an OpenAI-compatible endpoint answers.
        delay: Seconds that every model takes.
        status: HTTP status of every model's answer.

    Returns:
        What went over the wire to models, tools, receivers of traces and AWS; what the caller got; what was logged and
        printed.
    """
    bundle = build_bundle(agent)
    site.forget()
    site.aws.objects = {f"/bundles/{bundle.sha256}.json": bundle.content}
    site.api.delay, site.api.status = delay, status
    site.openai.default = reply.changed(delay=delay, status=status)
    with _prepared(site, {**agent.variables, **_surroundings(site)}) as (printed, log):
        answer = asyncio.run(_asked(bundle.sha256, site))
    seen = {
        "answer": answer,
        "model": [_request(one) for one in (*site.api.requests, *site.openai.requests)],
        "tools": [sorted({_tool_request(one) for one in server.headers}) for server in site.servers],
        "traces": [_traced(collector) for collector in site.collectors],
        "read": sorted({str(call) for call in site.aws.calls}),
        "log": log.lines,
        "printed": [_printed(line) for line in printed.getvalue().splitlines()],
    }
    return _without_noise(seen, bundle.sha256)


def _surroundings(site: Site) -> dict[str, str]:
    """The process's environment; traces go where AgentCore would have them go to CloudWatch."""
    return {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": site.aws.url,
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": site.api.url,
        "GOOGLE_VERTEX_BASE_URL": site.api.url,
        "ANTHROPIC_BASE_URL": site.api.url,
        "ANTHROPIC_API_BASE": site.api.url,
        "OPENAI_BASE_URL": site.openai.base_url,
        "LITELLM_PROXY_API_BASE": site.openai.base_url,
        "OTEL_EXPORTER_OTLP_ENDPOINT": site.collectors[0].endpoint,
    }


@contextmanager
def _prepared(site: Site, variables: dict[str, str]) -> Iterator[tuple[io.StringIO, _Log]]:
    logger, log, printed = logging.getLogger("agent_runtime"), _Log(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.setattr(_Session, "made", site.clients)
        patch.setattr("boto3.session.Session", _Session)
        patch.setitem(build_toolbox.__kwdefaults__, "folder", site.code)
        patch.setattr(sys, "path", [*sys.path, str(site.code)])
        patch.setattr(sys, "stdout", printed)
        # The handler collects garbage at its start; here that would go through every test's modules, each time.
        patch.setattr("gc.collect", lambda: 0)
        # One process sets them once, and here many handlers share one.
        patch.setattr(trace, "_TRACER_PROVIDER", None)
        patch.setattr(trace._TRACER_PROVIDER_SET_ONCE, "_done", False)
        patch.setattr("strands.telemetry.tracer._tracer_instance", None)
        # It keeps the first tracer that it finds.
        patch.setattr("mcp.shared._otel._tracer", trace.ProxyTracer("mcp-python-sdk"))
        level = logger.level
        logger.addHandler(log)
        try:
            yield printed, log
        finally:
            logger.removeHandler(log)
            logger.setLevel(level)
            metrics.configure(None)


class _Session(boto3.session.Session):
    """boto3; but the clients that read what the handler is given are made once: each takes a tenth of a second."""

    made: ClassVar[dict[str, Any]] = {}

    def client(self, service_name: str, *arguments: Any, **more: Any) -> Any:
        if service_name not in ("s3", "secretsmanager"):
            return super().client(service_name, *arguments, **more)
        if service_name not in self.made:
            self.made[service_name] = super().client(service_name, *arguments, **more)
        return self.made[service_name]


class _Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {record.getMessage()}")


async def _asked(bundle: str, site: Site) -> Any:
    """The handler's answer, or why it does not start."""
    settings = RuntimeSettings.from_environment(
        {
            "STRANDLINE_ENVIRONMENT": "local",
            "STRANDLINE_EXECUTION_MODE": "simulation",
            "STRANDLINE_BUNDLE": f"s3://bundles/{bundle}.json",
            "STRANDLINE_SECRETS": "strandline/local/",
            "STRANDLINE_GATEWAY_URL": site.openai.base_url.removesuffix("/v1"),
        }
    )
    try:
        service = build_service(settings)
    except StrandlineError as error:
        return f"does not start: {error}"
    app = build_app(service)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1", timeout=60
    ) as client:
        response = await client.post("/invocations", json={"prompt": PROMPT}, headers={SESSION_HEADER: SESSION})
    await asyncio.to_thread(_end, app, service)
    return response.status_code, _json_or_text(response.text)


def _end(app: Any, service: Any) -> None:
    """Ends what the SDK leaves running, and the connections of models, tools and traces."""
    loop = app._worker_loop

    async def rest() -> None:
        if service._tools is not None:
            await service._tools.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await close(service._source)
        await asyncio.get_running_loop().shutdown_asyncgens()

    if loop is not None:
        asyncio.run_coroutine_threadsafe(rest(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        app._worker_thread.join()
        loop.close()
    getattr(trace.get_tracer_provider(), "shutdown", lambda: None)()


# What is about the connection, or new each time.
_NOISY_HEADERS = (
    *("accept", "amz-", "connection", "content-length", "host", "traceparent", "user-agent", "x-amz-"),
    *("x-goog-api-c", "x-stainless-"),
)
_NOISY_MEMBER = re.compile(r"latency_ms|session_id|bundle|Timestamp|process\.pid|.*(time|duration|latency|cycle_id).*")
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{32}\b")


def _request(request: Any) -> Any:
    pairs = request.headers.items() if isinstance(request.headers, dict) else request.headers
    headers = {name.lower(): _signed(value) for name, value in pairs if not _is_noisy(name.lower())}
    return request.path, headers, request.body


def _tool_request(headers: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, _signed(headers[name])) for name in ("authorization", "x-team") if name in headers)


def _signed(value: str) -> str:
    """A signature by region and service: the rest is new each second."""
    return "/".join(value.partition(",")[0].split("/")[2:]) if value.startswith("AWS4-") else value


def _traced(collector: Any) -> Any:
    posts = {
        (one.path, *sorted(pair for pair in one.headers.items() if not _is_noisy(pair[0]))) for one in collector.posts
    }
    spans = [(one.name, one.attributes, one.resource, one.events, one.failed) for one in collector.spans]
    return sorted(posts), sorted(spans, key=lambda span: json.dumps(_quiet(span), sort_keys=True))


def _is_noisy(header: str) -> bool:
    return header.startswith(_NOISY_HEADERS)


def _printed(line: str) -> Any:
    """A line of metrics without the durations, whose unit tells them."""
    said = _json_or_text(line)
    for measured in said.get("_aws", {}).get("CloudWatchMetrics", ()) if isinstance(said, dict) else ():
        for metric in measured["Metrics"]:
            if metric.get("Unit") == "Milliseconds":
                said.pop(metric["Name"], None)
    return said


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _without_noise(seen: dict[str, Any], bundle: str) -> Any:
    return _quiet(json.loads(_ID.sub("<id>", json.dumps(seen, default=str).replace(bundle, "<bundle>"))))


def _quiet(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _quiet(member) for name, member in value.items() if not _NOISY_MEMBER.fullmatch(name)}
    return [_quiet(member) for member in value] if isinstance(value, list | tuple) else value
