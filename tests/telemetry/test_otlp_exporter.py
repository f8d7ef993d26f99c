"""How spans are sent: what is tried again, what is signed, and what is said when they cannot be delivered."""

from __future__ import annotations

import logging

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult

from agent_runtime.providers.leases import CredentialReader
from agent_runtime.secret_store import SecretStore
from agent_runtime.telemetry import otlp_exporter
from agent_runtime.telemetry.destinations import TraceDestination
from agent_runtime.telemetry.otlp_exporter import OtlpExporter
from tests.support.otlp_collector import OtlpCollector
from tests.support.secrets_manager import SecretsManager

OLD, NEW = "canary-old-key", "canary-new-key"


@pytest.fixture
def collector():
    with OtlpCollector() as server:
        yield server


@pytest.fixture
def spans():
    """One ended span."""
    kept = []

    class Keep(SimpleSpanProcessor):
        def on_end(self, span):
            kept.append(span)

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Keep(None))
    provider.get_tracer("test").start_span("step").end()
    return kept


@pytest.fixture
def secrets_manager():
    return SecretsManager(TRACE_KEY=OLD)


@pytest.fixture
def exporter(collector, secrets_manager, monkeypatch):
    """Makes exporters; between two tries they wait no time worth telling."""
    monkeypatch.setattr(otlp_exporter, "_FIRST_PAUSE_SECONDS", 0.001)
    made = []

    def make(**changes):
        store = SecretStore(
            prefix="strandline/test/", environment="test", client_factory=lambda: secrets_manager, clock=lambda: 0.0
        )
        destination = TraceDestination(**({"url": collector.endpoint + "/v1/traces"} | changes))
        reader = CredentialReader(store, None, destination.headers_env)
        made.append(OtlpExporter(destination, reader, lambda span: span))
        return made[-1]

    yield make
    for one in made:
        one.shutdown()


def test_a_batch_is_one_post_of_compressed_protobuf(exporter, collector, spans):
    assert exporter(headers={"X-Project": "tides"}).export(spans) is SpanExportResult.SUCCESS

    [post] = collector.posts
    assert post.path == "/v1/traces"
    assert (post.headers["content-type"], post.headers["content-encoding"]) == ("application/x-protobuf", "gzip")
    assert post.headers["x-project"] == "tides"
    assert [span.name for span in collector.spans] == ["step"]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_passes_is_tried_again(exporter, collector, spans, status):
    collector.answer(status, status)

    assert exporter().export(spans) is SpanExportResult.SUCCESS
    assert len(collector.posts) == 3


def test_after_four_tries_the_spans_are_dropped(exporter, collector, spans, caplog):
    collector.answer(503, 503, 503, 503, 503)

    assert exporter().export(spans) is SpanExportResult.FAILURE
    assert len(collector.posts) == 4
    assert "spans=<1>, receiver=<127.0.0.1> | dropped: it answered with HTTP status 503" in caplog.text


def test_a_receiver_may_ask_for_a_pause(exporter, collector, spans, monkeypatch):
    waited = []
    collector.retry_after = "7"
    collector.answer(429)
    sender = exporter()
    monkeypatch.setattr(sender._ending, "wait", waited.append)

    sender.export(spans)

    assert 5.6 <= waited[0] <= 8.4


@pytest.mark.parametrize("status", [301, 307, 400, 404, 413, 500])
def test_what_does_not_pass_is_not_tried_again_and_no_redirect_followed(exporter, collector, spans, status):
    collector.answer(status)

    assert exporter().export(spans) is SpanExportResult.FAILURE
    assert len(collector.posts) == 1


def test_spans_that_a_receiver_refuses_one_by_one_are_told(exporter, collector, spans, caplog):
    collector.rejects = 1

    assert exporter().export(spans) is SpanExportResult.FAILURE
    assert "it refused 1 spans of the batch" in caplog.text


def test_key_is_read_for_each_batch_and_again_when_it_is_refused(exporter, collector, spans, secrets_manager):
    sender = exporter(headers_env={"Authorization": "TRACE_KEY"})
    sender.export(spans)
    secrets_manager.put("TRACE_KEY", NEW)
    collector.answer(401)

    assert sender.export(spans) is SpanExportResult.SUCCESS
    assert [post.headers["authorization"] for post in collector.posts] == [OLD, OLD, NEW]


def test_a_key_that_stays_refused_is_not_sent_for_ever(exporter, collector, spans, caplog):
    collector.answer(403, 403, 403)

    assert exporter(headers_env={"Authorization": "TRACE_KEY"}).export(spans) is SpanExportResult.FAILURE
    assert len(collector.posts) == 2
    assert "canary" not in caplog.text


def test_a_secret_that_cannot_be_read_is_told_by_its_name(exporter, collector, spans, secrets_manager, caplog):
    secrets_manager.refuse("TRACE_KEY", "AccessDeniedException")

    assert exporter(headers_env={"Authorization": "TRACE_KEY"}).export(spans) is SpanExportResult.FAILURE
    assert collector.posts == []
    assert "strandline/test/TRACE_KEY" in caplog.text


def test_an_absent_receiver_is_told_without_the_librarys_words(exporter, spans, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG, logger="agent_runtime")

    # A port that nobody may listen on.
    assert exporter(url="http://127.0.0.1:1/v1/traces").export(spans) is SpanExportResult.FAILURE
    assert "dropped: it cannot be reached (ConnectError)" in caplog.text


def test_an_exporter_that_ends_does_not_wait_for_another_try(exporter, collector, spans, monkeypatch):
    monkeypatch.setattr(otlp_exporter, "_FIRST_PAUSE_SECONDS", 3600)
    collector.answer(503, 503)
    sender = exporter()
    sender.shutdown()

    assert sender.export(spans) is SpanExportResult.FAILURE


def test_xray_is_signed_for_with_the_role(exporter, collector, spans, monkeypatch):
    for name, value in {"ID": "AKIATEST", "KEY": "canary-aws", "TOKEN": "role-token"}.items():
        variable = {"ID": "AWS_ACCESS_KEY_ID", "KEY": "AWS_SECRET_ACCESS_KEY", "TOKEN": "AWS_SESSION_TOKEN"}[name]
        monkeypatch.setenv(variable, value)

    assert exporter(region="eu-central-1").export(spans) is SpanExportResult.SUCCESS

    headers = collector.posts[0].headers
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIATEST/")
    assert "/eu-central-1/xray/aws4_request" in headers["authorization"]
    assert headers["x-amz-security-token"] == "role-token"
