"""`make demo MODEL=...`: the copy of the blueprints that asks a real provider."""

from __future__ import annotations

import pytest

from agent_runtime.errors import InputError
from gateway.settings import load_gateway
from stacks.environments import load_environments
from stacks.project import load_project
from strandline.commands import demo


def test_model_replaces_the_mock_in_a_copy(tmp_path, monkeypatch):
    monkeypatch.setenv("STRANDLINE_HOME", str(tmp_path))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "any")
    key = demo._provider_key("anthropic/claude-fable")
    environments, blueprints = demo._with_model("anthropic/claude-fable", key)
    project = load_project(blueprints)
    local = load_environments(environments)["local"]
    assert project.gateway
    model = project.gateway.models["demo"]
    assert (model.model, model.api_key_env, model.mock_response) == (
        "anthropic/claude-fable",
        "ANTHROPIC_API_KEY",
        None,
    )
    # Nothing stands between the agent and the provider: in simulation the gateway would answer by itself.
    assert local.execution_mode == "staging"
    assert [agent.blueprint.id for agent in project.agents_of(local)] == ["hello"]
    assert project.secret_variables(local) == ["ANTHROPIC_API_KEY"]
    assert load_gateway(demo.BLUEPRINTS / "gateway.yaml").models["demo"].mock_response


@pytest.mark.parametrize("model", ["openai", "unknown/model", "openai/gpt-4.1-mini"])
def test_model_without_provider_or_key_is_said(model, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(InputError, match="MODEL="):
        demo._provider_key(model)
