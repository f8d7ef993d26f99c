"""Where traces go, by what AgentCore, people and the blueprint say."""

from __future__ import annotations

import subprocess
import sys

import pytest

from agent_runtime.blueprint_blocks import Observability
from agent_runtime.telemetry.destinations import destinations_of

OTLP = {"endpoint": "https://traces.example.com/otel/", "headers_env": {"X-Key": "KEY"}, "headers": {"X-A": "b"}}
ON_AGENTCORE = {"AGENT_OBSERVABILITY_ENABLED": "true", "AWS_REGION": "eu-west-1"}


def found(variables, **block):
    return destinations_of(Observability.model_validate(block), variables)


def test_agentcore_has_them_sent_to_xray_signed():
    [destination] = found(ON_AGENTCORE)

    assert destination.url == "https://xray.eu-west-1.amazonaws.com/v1/traces"
    assert (destination.region, destination.content) == ("eu-west-1", False)


def test_china_has_a_domain_of_its_own():
    [destination] = found(ON_AGENTCORE | {"AWS_REGION": "cn-north-1"})

    assert destination.url == "https://xray.cn-north-1.amazonaws.com.cn/v1/traces"
    assert destination.region == "cn-north-1"


def test_the_blueprints_receiver_comes_beside_it():
    xray, other = found(ON_AGENTCORE, otlp=OTLP)

    assert xray.region == "eu-west-1"
    assert other.url == "https://traces.example.com/otel/v1/traces"
    assert (other.headers, other.headers_env, other.region) == ({"X-A": "b"}, {"X-Key": "KEY"}, None)


@pytest.mark.parametrize(
    ("variables", "url", "region"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/"}, "http://collector:4318/v1/traces", None),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector/x"}, "http://collector/x", None),
        (
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://xray.us-east-1.amazonaws.com/v1/traces"},
            "https://xray.us-east-1.amazonaws.com/v1/traces",
            "us-east-1",
        ),
        # A name that only looks like AWS's gets no signature.
        (
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://xray.us-east-1.amazonaws.com.evil.example/v1/traces"},
            "https://xray.us-east-1.amazonaws.com.evil.example/v1/traces",
            None,
        ),
    ],
)
def test_the_standard_variables_name_another(variables, url, region):
    [destination] = found(ON_AGENTCORE | variables)

    assert (destination.url, destination.region) == (url, region)


@pytest.mark.parametrize(
    ("variables", "block", "count"),
    [
        ({}, {}, 0),
        ({"AWS_REGION": "eu-west-1"}, {}, 0),
        ({"AGENT_OBSERVABILITY_ENABLED": "true"}, {}, 0),
        (ON_AGENTCORE, {"enabled": False}, 0),
        (ON_AGENTCORE | {"OTEL_SDK_DISABLED": "true"}, {"otlp": OTLP}, 0),
        (ON_AGENTCORE | {"OTEL_TRACES_EXPORTER": "none"}, {"otlp": OTLP}, 1),
        (ON_AGENTCORE | {"DISABLE_ADOT_OBSERVABILITY": "true"}, {"otlp": OTLP}, 1),
    ],
)
def test_nothing_goes_where_it_is_not_wanted(variables, block, count):
    assert len(found(variables, **block)) == count


def test_without_a_receiver_nothing_is_imported_for_it():
    code = (
        "import sys; from agent_runtime.telemetry import build_tracing; from types import SimpleNamespace as N\n"
        "from agent_runtime.blueprint_blocks import Observability\n"
        "agent = N(blueprint=N(observability=Observability()))\n"
        "assert build_tracing(agent, 'test', {}, None) is None\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert not set(loaded) & {"opentelemetry", "google", "httpx", "botocore"}
