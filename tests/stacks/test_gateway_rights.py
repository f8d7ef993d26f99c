"""What the gateway's tasks may do at Bedrock: the models and guardrails that gateway.yaml names, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gateway.settings import load_gateway
from gateway.target import GatewayTarget
from stacks.environments import EnvironmentSettings, complete
from stacks.gateway_rights import find_rights

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = complete("staging", EnvironmentSettings(account="111111111111", region="eu-central-1"))
STAGING = GatewayTarget(execution_mode="staging")
CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1:0"


def rights(tmp_path: Path, text: str, target: GatewayTarget = STAGING) -> tuple[list[dict[str, Any]], dict[str, str]]:
    path = tmp_path / "gateway.yaml"
    path.write_text(text)
    found = find_rights(load_gateway(path), ENVIRONMENT, target)
    return [statement.to_statement_json() for statement in found.statements], found.wildcards


@pytest.mark.parametrize(
    ("model", "region", "arn"),
    [
        (f"bedrock/{CLAUDE}", "", f"arn:aws:bedrock:eu-central-1::foundation-model/{CLAUDE}"),
        (f"bedrock/converse/{CLAUDE}", "", f"arn:aws:bedrock:eu-central-1::foundation-model/{CLAUDE}"),
        (f"bedrock/us-west-2/{CLAUDE}", "", f"arn:aws:bedrock:us-west-2::foundation-model/{CLAUDE}"),
        (f"bedrock/{CLAUDE}", ", region: us-east-1", f"arn:aws:bedrock:us-east-1::foundation-model/{CLAUDE}"),
    ],
)
def test_a_model_may_be_invoked_where_it_is_asked(tmp_path: Path, model: str, region: str, arn: str) -> None:
    statements, wildcards = rights(tmp_path, f"models: {{m: {{model: '{model}'{region}}}}}\n")

    (statement,) = statements
    assert statement["Resource"] == arn
    assert set(statement["Action"]) == {"bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"}
    assert wildcards == {}


def test_the_models_behind_a_profile_may_be_invoked_through_it_only(tmp_path: Path) -> None:
    statements, wildcards = rights(tmp_path, f"models: {{m: {{model: 'bedrock/eu.{CLAUDE}'}}}}\n")
    profile = f"arn:aws:bedrock:eu-central-1:111111111111:inference-profile/eu.{CLAUDE}"
    behind = f"arn:aws:bedrock:*::foundation-model/{CLAUDE}"

    assert [statement["Resource"] for statement in statements] == [profile, behind]
    assert statements[1]["Condition"] == {"StringEquals": {"bedrock:InferenceProfileArn": profile}}
    assert set(wildcards) == {behind}


def test_a_guardrail_may_be_applied(tmp_path: Path) -> None:
    text = "models: {m: {model: openai/gpt-5-mini, api_key_env: OPENAI_API_KEY}}\n"
    text += "guardrails: [{name: policy, bedrock: {guardrail_id: a1b2c3d4e5f6, version: '1'}}]\n"

    statements, _ = rights(tmp_path, text)

    assert [(statement["Action"], statement["Resource"]) for statement in statements] == [
        ("bedrock:ApplyGuardrail", "arn:aws:bedrock:eu-central-1:111111111111:guardrail/a1b2c3d4e5f6")
    ]


@pytest.mark.parametrize(
    "model",
    ["{model: openai/gpt-5-mini, api_key_env: OPENAI_API_KEY}", f"{{model: 'bedrock/{CLAUDE}', mock_response: Hi}}"],
)
def test_a_gateway_that_asks_nothing_of_bedrock_may_do_nothing_there(tmp_path: Path, model: str) -> None:
    assert rights(tmp_path, f"models: {{m: {model}}}\n") == ([], {})


def test_where_models_are_simulated_nobody_is_asked(tmp_path: Path) -> None:
    assert rights(tmp_path, f"models: {{m: {{model: 'bedrock/{CLAUDE}'}}}}\n", GatewayTarget()) == ([], {})
