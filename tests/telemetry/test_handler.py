"""The handler's own process: what it logs, counts and traces, and that none of it tells a secret or a prompt.

A start takes its time, so there are three processes, whose requests are over before the tests look at what they left.
"""

from __future__ import annotations

import pytest

from tests.support.openai_server import Reply
from tests.support.otlp_collector import OtlpCollector
from tests.telemetry.conftest import KEY, MODEL_ID, SESSION, TRACE_KEY

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-00"
GOOD = Reply(text="canary-answer", model="answered-model", cost=0.25)
BAD = Reply(status=400, error=f"You sent {KEY} and canary-prompt.")


class Seen:
    """A handler that has ended, the receivers of its traces, and the answers that it gave."""

    def __init__(self, handler, collectors):
        self.handler, self.collectors = handler, collectors
        self.answers = [handler.ask(traceparent=TRACEPARENT), handler.ask()]
        handler.stop()

    @property
    def collector(self):
        return self.collectors[0]

    def sent(self, collector=0):
        return b"".join(post.body for post in self.collectors[collector].posts)


def to(collector, **more):
    return {"endpoint": collector.endpoint, "headers_env": {"Authorization": "TRACE_KEY"}} | more


@pytest.fixture(scope="module")
def traced(start, endpoint):
    """One answer and one failure, traced without content."""
    with OtlpCollector() as collector:
        endpoint.script(MODEL_ID, GOOD, BAD)
        plan = {"otlp": to(collector), "trace_attributes": {"team": "platform"}, "log_level": "DEBUG"}
        yield Seen(start(plan, OPENAI_LOG="debug", PYTHONHASHSEED="0"), [collector])


@pytest.fixture(scope="module")
def open_hearted(start, endpoint):
    """Traced with content to the blueprint's receiver, and to the one of the standard variables."""
    with OtlpCollector() as collector, OtlpCollector() as standard:
        endpoint.script(MODEL_ID, GOOD)
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": standard.endpoint,
            "OTEL_RESOURCE_ATTRIBUTES": "service.name=tide.DEFAULT,a=b",
        }
        handler = start({"otlp": to(collector, content=True)}, PYTHONHASHSEED="0", **variables)
        yield Seen(handler, [collector, standard])


@pytest.fixture(scope="module")
def off(start, endpoint):
    """Nothing of it, though AgentCore and the variables would have it."""
    with OtlpCollector() as collector:
        endpoint.script(MODEL_ID, GOOD)
        variables = {"AGENT_OBSERVABILITY_ENABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
        yield Seen(start({"enabled": False}, **variables), [collector])


def test_trace_goes_on_from_the_callers_to_the_models_call(traced):
    root, agent, chat = (
        next(span for span in traced.collector.spans if span.name == name and span.trace_id == TRACE)
        for name in ("invocation tide", "invoke_agent Tide", "chat")
    )
    assert (root.parent_id, agent.parent_id) == ("b7ad6b7169203331", root.span_id)
    assert chat.attributes["gen_ai.request.model"] == MODEL_ID
    assert chat.attributes["gen_ai.usage.output_tokens"] == 7
    assert (root.attributes["gen_ai.response.model"], root.attributes["strandline.cost_usd"]) == (GOOD.model, 0.25)


def test_the_models_endpoint_gets_the_trace_with_a_span_of_ours(traced, endpoint):
    sent = [request.header("traceparent") for request in endpoint.requests]
    [parent] = {header.split("-")[2] for header in sent if header and TRACE in header and header != TRACEPARENT}

    assert parent in {span.span_id for span in traced.collector.spans}


def test_every_span_has_the_session_and_the_blueprints_attributes(traced):
    assert {span.attributes["session.id"] for span in traced.collector.spans} == {SESSION}
    assert {span.attributes["team"] for span in traced.collector.spans} == {"platform"}


def test_spans_say_which_agent_of_which_bundle_this_is(traced):
    root = traced.collector.spans_of("invocation tide")[0]
    told = {name: root.attributes[name] for name in ("gen_ai.agent.id", "gen_ai.agent.version", "strandline.bundle")}
    assert list(told.values()) == ["tide", "1.2.3", traced.handler.sha256]
    assert (root.attributes["strandline.environment"], root.resource["service.name"]) == ("test", "test_tide")
    assert root.resource["aws.service.type"] == "gen_ai_agent"


def test_no_content_and_no_secret_is_in_traces_logs_or_metrics(traced):
    assert traced.collector.spans
    assert b"canary" not in traced.sent()
    assert "canary" not in traced.handler.printed()
    assert {post.headers["authorization"] for post in traced.collector.posts} == {TRACE_KEY}


def test_a_failure_is_traced_without_what_the_endpoint_said(traced):
    [root] = [span for span in traced.collector.spans_of("invocation tide") if span.failed]
    [chat] = [span for span in traced.collector.spans_of("chat") if span.failed]

    assert root.attributes["error.type"] == "model_refused"
    assert {span.status_message for span in traced.collector.spans} == {""}
    assert {*dict(chat.events)["exception"]} == {"exception.type"}


def test_a_failures_line_in_the_log_has_its_id_session_and_trace(traced):
    [root] = [span for span in traced.collector.spans_of("invocation tide") if span.failed]
    [line] = [line for line in traced.handler.log() if "failure_id" in line]

    assert line["failure_id"] == traced.answers[1].json()["error"]["id"]
    assert (line["session"], line["trace_id"]) == (SESSION, root.trace_id)


def test_every_line_of_the_log_is_json_and_says_whose_it_is(traced):
    lines = traced.handler.log()

    assert all({"timestamp", "level", "logger", "message"} <= line.keys() for line in lines)
    told = {(line.get("agent"), line.get("version"), line.get("bundle")) for line in lines}
    assert told == {("tide", "1.2.3", traced.handler.sha256)}
    of_sdk = [line for line in lines if line["logger"] == "bedrock_agentcore.app"]
    assert {line["session"] for line in of_sdk} == {SESSION}


def test_one_line_of_metrics_for_each_invocation(traced):
    good, bad = [line for line in traced.handler.metrics() if "Invocations" in line]

    units = {metric["Name"]: metric["Unit"] for metric in good["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert (good["environment"], good["agent"], good["version"]) == ("test", "tide", "1.2.3")
    assert (good["session"], good["trace_id"], good["model_answered"]) == (SESSION, TRACE, GOOD.model)
    assert (good["InputTokens"], good["OutputTokens"], good["CostUsd"], good["ModelCalls"]) == (11, 7, 0.25, 1)
    assert 0 < good["TimeToFirstToken"] <= good["Latency"]
    assert (units["Latency"], units["CostUsd"], units["OutputTokens"]) == ("Milliseconds", "None", "Count")
    assert (bad["Failures"], bad["failure"]) == (1, "model_refused")


def test_processes_of_one_image_draw_different_ids(traced, open_hearted):
    spans = traced.collector.spans + open_hearted.collector.spans

    assert len({span.span_id for span in spans}) == len(spans)
    # One that the caller sent, to both, and one of each of the two.
    assert len({span.trace_id for span in spans}) == 3
    assert not any("service.instance.id" in span.resource or "process.pid" in span.resource for span in spans)


def test_content_goes_only_where_the_blueprint_sends_it(open_hearted):
    assert b"canary-prompt" in open_hearted.sent()
    assert b"canary-answer" in open_hearted.sent()
    assert KEY.encode() not in open_hearted.sent()
    assert b"canary" not in open_hearted.sent(1)
    assert "canary" not in open_hearted.handler.printed()


def test_receiver_of_the_standard_variables_gets_no_key_of_the_blueprints(open_hearted):
    standard = open_hearted.collectors[1]

    assert {post.path for post in standard.posts} == {"/v1/traces"}
    assert not any("authorization" in post.headers for post in standard.posts)
    assert (standard.spans[0].resource["service.name"], standard.spans[0].resource["a"]) == ("tide.DEFAULT", "b")


def test_off_writes_no_metrics_and_sends_no_traces(off, endpoint):
    assert [answer.status_code for answer in off.answers] == [200, 200]
    assert off.handler.metrics() == []
    assert off.collector.posts == []
    # The caller's trace is handed on as it came, and is in the log.
    assert endpoint.requests[-2].header("traceparent") == TRACEPARENT
