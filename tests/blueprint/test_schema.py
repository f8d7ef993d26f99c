"""The blueprint's schema: what it accepts, what it refuses, and what it says of an agent."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from agent_runtime.addresses import check_url, is_loopback
from agent_runtime.blueprint import Blueprint
from agent_runtime.later import LATER_FIELDS
from agent_runtime.schema_walk import known_keys
from agent_runtime.suggestions import nearest

MODEL: dict[str, Any] = {"provider": "litellm", "model_id": "demo", "temperature": 0.2, "max_tokens": 500}
CANARY = "sk-canary-0123456789abcdef"


def agent(model: dict[str, Any] | None = None, **fields: Any) -> Blueprint:
    document = {"id": "hello", "name": "Hello", "version": "1.0.0", "prompt_ref": "hello"}
    return Blueprint.model_validate({**document, "model": {**MODEL, **(model or {})}, **fields})


def refusal(**changes: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        agent(**changes)
    return str(caught.value)


def test_defaults_let_a_new_agent_run_in_simulation_only():
    hello = agent()
    assert (hello.allows("simulation"), hello.allows("staging"), hello.allows("production")) == (True, False, False)
    assert (hello.runtime.max_iterations, hello.runtime.idle_timeout_minutes) == (5, 15)
    assert hello.runtime.protocol == "HTTP"


def test_a_dumped_blueprint_validates_to_the_same():
    full = agent(
        {"base_url": "https://proxy.example.com/v1", "api_key_env": "KEY", "extra_headers_env": {"X-Team": "TEAM"}},
        tags=["a", "b"],
        gateway={"auth_type": "custom_jwt", "url": "https://tools.example.com", "jwt_env_var": "GATEWAY_TOKEN"},
        runtime={"network_mode": "PRIVATE"},
        execution_modes={"production": True},
    )
    assert Blueprint.model_validate(full.model_dump(mode="json")) == full


def test_a_blueprint_cannot_be_changed():
    with pytest.raises(ValidationError):
        agent().id = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("base_url", "network_mode", "effective"),
    [
        ("gateway", None, "PRIVATE"),
        ("gateway", "PRIVATE", "PRIVATE"),
        (None, None, "PUBLIC"),
        ("https://proxy.example.com", None, "PUBLIC"),
        ("https://proxy.example.com", "PRIVATE", "PRIVATE"),
    ],
)
def test_network_mode_follows_the_way_to_the_model(base_url, network_mode, effective):
    assert agent({"base_url": base_url}, runtime={"network_mode": network_mode}).network_mode == effective


def test_the_gateway_is_out_of_reach_of_a_public_runtime():
    message = refusal(model={"base_url": "gateway"}, runtime={"network_mode": "PUBLIC"})
    assert "inside the VPC" in message


def test_secret_names_are_distinct_and_sorted():
    model = {"api_key_env": "B_KEY", "extra_headers_env": {"X-One": "A_KEY", "X-Two": "B_KEY"}}
    assert agent(model).secret_names == ("A_KEY", "B_KEY")
    assert agent().secret_names == ()


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ({}, "litellm"),
        ({"base_url": "gateway"}, "light"),
        ({"base_url": "https://proxy.example.com"}, "light"),
        ({"provider": "bedrock"}, "light"),
    ],
)
def test_litellm_is_packaged_only_for_agents_that_call_providers_through_it(model, expected):
    assert agent(model).dependency_set == expected


@pytest.mark.parametrize("agent_id", ["a", "a-b", "a_b", "A1", "a" * 32])
def test_runtime_names_are_names_to_agentcore(agent_id):
    name = agent(id=agent_id).runtime_name("production")
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]{0,47}", name)


@pytest.mark.parametrize("agent_id", ["", "1a", "-a", "a b", "a.b", "a" * 33, "a\n", "ä", "a\u200b"])
def test_other_ids_are_refused(agent_id):
    refusal(id=agent_id)


@pytest.mark.parametrize("version", ["1.0.0", "0.1.2-beta.1", "1.0.0+build.5", "10.20.30"])
def test_semantic_versions_are_accepted(version):
    assert agent(version=version).version == version


@pytest.mark.parametrize("version", ["1", "1.0", "01.0.0", "1.0.0-", "v1.0.0", "1.0.0\n", "latest", "1.0.0-01"])
def test_other_versions_are_refused(version):
    assert "semantic version" in refusal(version=version)


@pytest.mark.parametrize("ref", ["../hello", "a/b", ".hidden", "a..b", "", "/etc/passwd", "a\\b", "a\0", "~a", "a%2fb"])
def test_a_prompt_ref_cannot_leave_its_folder(ref):
    refusal(prompt_ref=ref)


@pytest.mark.parametrize("ref", ["hello", "hello@1.2.0", "a_b-c.d", "1"])
def test_prompt_refs_are_accepted(ref):
    assert agent(prompt_ref=ref).prompt_ref == ref


@pytest.mark.parametrize("text", ["a\u200bb", "a\u202eb", "a\u0007b", "a\u2028b", "", "   ", "a\nb"])
def test_a_name_holds_nothing_invisible(text):
    refusal(name=text)


def test_a_description_may_have_lines_but_nothing_invisible():
    assert agent(description="one\n\ttwo").description == "one\n\ttwo"
    assert "U+202E" in refusal(description="a\u202eb")


@pytest.mark.parametrize(
    "model",
    [
        {"temperature": 2.1},
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"temperature": "0.2"},
        {"temperature": True},
        {"max_tokens": 0},
        {"max_tokens": 1.0},
        {"max_tokens": "5"},
        {"model_id": ""},
        {"model_id": "a b"},
        {"model_id": "${MODEL"},
        {"model_id": "${model}"},
        {"model_id": "${MODEL:?missing}"},
        {"extra_headers_env": {"X": 1}},
    ],
)
def test_values_of_the_model_are_checked_and_not_converted(model):
    refusal(model=model)


@pytest.mark.parametrize(
    ("protocol", "port", "other"), [("HTTP", 8080, 8000), ("MCP", 8000, 8080), ("A2A", 9000, 8000)]
)
def test_the_port_is_the_protocols(protocol, port, other):
    assert agent(runtime={"protocol": protocol}).runtime.port is None
    assert agent(runtime={"protocol": protocol, "port": port}).runtime.port == port
    assert f"AgentCore calls {protocol} at port {port}" in refusal(runtime={"protocol": protocol, "port": other})


def test_an_unknown_protocol_is_refused_with_the_known_ones():
    assert "HTTP', 'MCP' or 'A2A" in refusal(runtime={"protocol": "AGUI"})


@pytest.mark.parametrize(
    "model", [{"base_url": "gateway"}, {"api_key_env": "KEY"}, {"extra_headers_env": {"X-Team": "TEAM"}}]
)
def test_what_bedrock_would_ignore_is_refused(model):
    assert "no effect with provider bedrock" in refusal(model={"provider": "bedrock", **model})


@pytest.mark.parametrize(
    "header",
    [
        "Authorization",
        "HOST",
        "Content-Length",
        "Transfer-Encoding",
        "connection",
        "Cookie",
        "X-Amz-Date",
        "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id",
        "Proxy-Authorization",
        "",
        "a b",
        "a:b",
        "a\r\nb",
        "ä",
        "x" * 129,
    ],
)
def test_reserved_and_broken_headers_are_refused(header):
    refusal(model={"extra_headers_env": {header: "NAME"}})


def test_the_headers_of_the_published_page_are_accepted():
    headers = {"CF-Access-Client-Id": "CF_ACCESS_CLIENT_ID", "CF-Access-Client-Secret": "CF_ACCESS_CLIENT_SECRET"}
    model = {"base_url": "https://your-gateway.example.com", "api_key_env": "GATEWAY_API_KEY"}
    assert agent({**model, "extra_headers_env": headers}).model.extra_headers_env == headers


def test_one_header_in_two_spellings_is_refused():
    assert "same header" in refusal(model={"extra_headers_env": {"X-Team": "A", "x-team": "B"}})


@pytest.mark.parametrize(
    "name",
    ["key", "1KEY", "KEY-ID", "", "K" * 65, "KEY\n", CANARY, "AKIAIOSFODNN7EXAMPLE", "0123456789ABCDEF" * 2],
)
def test_a_variable_is_named_and_a_pasted_key_is_never_shown(name):
    for model in ({"api_key_env": name}, {"extra_headers_env": {"X-Team": name}}):
        message = refusal(model=model)
        assert not name or len(name) < 4 or name.strip() not in message


def test_a_pasted_key_is_called_what_it_is():
    assert "looks like a secret" in refusal(model={"api_key_env": CANARY})


def test_no_error_shows_the_input():
    for field in ("id", "name", "version", "prompt_ref", "description", "model", "tags", "gateway"):
        with pytest.raises(ValidationError) as caught:
            agent(**{field: {"nested": CANARY}})
        assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://proxy.example.com",
        "https://proxy.example.com:8443/v1/",
        "https://10.0.0.5/v1",
        "https://[2001:db8::1]/v1",
        "https://gateway.ai.cloudflare.com/v1/account/name",
        "http://localhost:4000",
        "http://127.0.0.1:4000/v1",
        "http://[::1]:4000",
        "https://my_host.internal",
    ],
)
def test_addresses_of_endpoints_are_accepted(url):
    assert agent({"base_url": url}, runtime={"network_mode": "PRIVATE"}).model.base_url == url


@pytest.mark.parametrize(
    "url",
    [
        "proxy.example.com",
        "ftp://proxy.example.com",
        "https://",
        "https:///v1",
        "http://proxy.example.com",
        "http://10.0.0.5",
        "http://localhost.example.com",
        "https://user:pw@proxy.example.com",
        "https://good.com@evil.com",
        "https://proxy.example.com/?a=b",
        "https://proxy.example.com/#f",
        "https://proxy.example.com/a b",
        "https://proxy.example.com\\@evil.com",
        "https://exämple.com",
        "https://proxy.example.com:99999",
        "https://proxy.example.com:x",
        "https://-bad.example.com",
        "https://a..b",
        "https://%31%32",
        "https://${HOST/v1",
        "https://" + "a" * 2048,
        "https://[::1",
        "https://proxy.example.com\n",
    ],
)
def test_other_addresses_are_refused(url):
    message = refusal(model={"base_url": url})
    assert "pw" not in message


METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "2852039166",
    "0xA9FEA9FE",
    "0251.0376.0251.0376",
    "169.254.43518",
    "169.254.169.254.",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "0.0.0.0",  # noqa: S104 - a text to refuse
    "[::]",
    "224.0.0.1",
    "metadata.google.internal",
    "METADATA.google.internal.",
]


@pytest.mark.parametrize("host", METADATA)
def test_metadata_services_are_refused_in_every_notation(host):
    assert "metadata" in refusal(model={"base_url": f"https://{host}/v1"})


def test_the_address_rule_serves_other_files_too():
    assert check_url("https://a.example.com") == "https://a.example.com"
    assert is_loopback("2130706433")
    assert not is_loopback("localhost.example.com")


def edits_of(word: str) -> set[str]:
    splits = [(word[:cut], word[cut:]) for cut in range(len(word) + 1)]
    removed = {head + tail[1:] for head, tail in splits if tail}
    changed = {head + "q" + tail[1:] for head, tail in splits if tail}
    added = {head + "q" + tail for head, tail in splits}
    swapped = {head + tail[1] + tail[0] + tail[2:] for head, tail in splits if len(tail) > 1}
    return (removed | changed | added | swapped) - {word, ""}


@pytest.mark.parametrize(
    "path",
    [
        (),
        *(("model",), ("runtime",), ("execution_modes",), ("gateway",), ("thinking",), ("budget",), ("environments",)),
        *(("observability",), ("observability", "data_protection"), ("tools", 0), ("tools", 0, "mcp"), ("checks", 0)),
    ],
)
def test_every_typo_of_one_edit_is_understood(path):
    keys = known_keys(Blueprint, path)
    assert keys
    for key in keys:
        for typo in edits_of(key) - set(keys):
            # rpm and tpm are one edit from the same typo: either is a fair guess.
            assert nearest(typo, keys) in {other for other in keys if typo in edits_of(other)}, typo


def test_what_is_said_to_come_later_is_not_there_yet():
    for path in LATER_FIELDS:
        *parents, key = path.split(".")
        assert key not in known_keys(Blueprint, tuple(parents))


def every_model(model: type[BaseModel]) -> set[type[BaseModel]]:
    found = {model}
    for field in model.model_fields.values():
        for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(part, type) and issubclass(part, BaseModel):
                found |= every_model(part)
    return found


def test_every_field_is_described_and_every_required_one_has_a_sample():
    models = every_model(Blueprint)
    assert len(models) == 14
    for model in models:
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"
            assert field.examples or not field.is_required(), f"{model.__name__}.{name}"


def test_the_schema_is_imported_without_yaml_cdk_or_a_provider():
    assert loaded_by("agent_runtime.blueprint, agent_runtime.bundle", "yaml", *HEAVY) == "[]"


def test_loading_blueprints_takes_neither_the_cdk_nor_a_provider():
    code = "agent_runtime.loader; agent_runtime.loader.load_blueprint(pathlib.Path('blueprints/agents/hello.yaml'))"
    assert loaded_by(f"pathlib, {code}", *HEAVY, "jsonschema", "requests", "httpx") == "[]"


def test_validating_takes_neither_the_cdk_nor_a_provider():
    code = "strandline.commands.validate; strandline.commands.validate.find_problems([pathlib.Path('blueprints')])"
    assert loaded_by(f"pathlib, {code}", *HEAVY, "jsonschema", "requests", "httpx") == "[]"


HEAVY = (
    "aws_cdk",
    "strands",
    "litellm",
    "boto3",
    "botocore",
    "bedrock_agentcore",
    "openai",
    "anthropic",
    "google.genai",
)


def loaded_by(imports: str, *names: str) -> str:
    code = f"import sys, {imports}; print([name for name in {names} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    return done.stdout.strip()
