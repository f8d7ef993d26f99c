"""The blueprints of the published format's LiteLLM page, deployed unchanged but for the address."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.e2e


def _sent(project):
    return project.provider.requests[-1]


def test_company_proxy_masks_and_takes_the_default_model(project):
    project.invoke("company-proxy", "Write to ada.lovelace@example.com today.")
    request = _sent(project)
    assert request.header("authorization") == f"Bearer {project.canaries['LITELLM_API_KEY']}"
    assert (request.body["model"], request.body["temperature"]) == ("claude-sonnet-4-6", 0.2)
    assert request.body["max_tokens"] == 8192
    assert "ada.lovelace" not in request.raw.decode()
    assert "Write to <EMAIL_ADDRESS> today." in json.dumps(request.body["messages"])


def test_cloudflare_gets_its_two_headers_and_the_environments_overlay(project):
    project.invoke("cloudflare", "Say something.")
    request = _sent(project)
    assert request.header("authorization") == f"Bearer {project.canaries['CF_GATEWAY_API_KEY']}"
    assert request.header("cf-access-client-id") == project.canaries["CF_ACCESS_CLIENT_ID"]
    assert request.header("cf-access-client-secret") == project.canaries["CF_ACCESS_CLIENT_SECRET"]
    assert request.body["temperature"] == 0.9
    system = request.body["messages"][0]["content"]
    assert "You analyse." in json.dumps(system)
    assert "status" not in json.dumps(system)


def test_model_is_switched_by_a_variable_of_the_environment(project):
    project.change_environment(variables={"ACTIVE_MODEL": "my-org/other"})
    done = project.deploy()
    assert done.returncode == 0, done.stderr
    project.invoke("cloudflare", "Say something.")
    assert _sent(project).body["model"] == "my-org/other"
