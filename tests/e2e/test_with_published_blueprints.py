"""The blueprints of the published format's LiteLLM page, deployed unchanged but for the address."""

from __future__ import annotations

import json
import re
import secrets

import pytest

from tests.support.published_blueprints import CLOUDFLARE, PROXY

pytestmark = pytest.mark.e2e

HEAD = "id: {id}\nversion: 1.0.0\nname: Published\nprompt_ref: published-v1\n"
SWITCHABLE = CLOUDFLARE.replace("model_id: claude-sonnet-4-6", "model_id: ${ACTIVE_MODEL:-claude-sonnet-4-6}")
OVERLAY = "environments:\n  local: {model: {temperature: 0.9}}\n"
BLUEPRINTS = {"company-proxy": PROXY, "cloudflare": SWITCHABLE + OVERLAY}

VARIABLES = ("LITELLM_API_KEY", "CF_GATEWAY_API_KEY", "CF_ACCESS_CLIENT_ID", "CF_ACCESS_CLIENT_SECRET")


@pytest.fixture(scope="module")
def published(project):
    """The project with the two agents, deployed."""
    blueprints = project.folder / "blueprints"
    (blueprints / "prompts" / "published-v1.md").write_text("---\nstatus: stable\n---\nYou analyse.\n")
    for name, text in BLUEPRINTS.items():
        moved = re.sub(r"base_url: \S+", f"base_url: {project.provider.base_url}", text)
        (blueprints / "agents" / f"{name}.yaml").write_text(HEAD.format(id=name) + moved)
    stopped = project.deploy()
    assert stopped.returncode == 1
    for name in VARIABLES:
        assert f"strandline secrets set {name} --env local" in stopped.stderr
        project.canaries[name] = f"canary-{secrets.token_hex(16)}"
        assert project.run("secrets", "set", name, "--env", "local", stdin=project.canaries[name]).returncode == 0
    deployed = project.deploy()
    assert deployed.returncode == 0, deployed.stderr
    return project


def _sent(project):
    return project.provider.requests[-1]


def test_company_proxy_masks_and_takes_the_default_model(published):
    published.invoke("company-proxy", "Write to ada.lovelace@example.com today.")
    request = _sent(published)
    assert request.header("authorization") == f"Bearer {published.canaries['LITELLM_API_KEY']}"
    assert (request.body["model"], request.body["temperature"]) == ("claude-sonnet-4-6", 0.2)
    assert request.body["max_tokens"] == 8192
    assert "ada.lovelace" not in request.raw.decode()
    assert "Write to <EMAIL_ADDRESS> today." in json.dumps(request.body["messages"])


def test_cloudflare_gets_its_two_headers_and_the_environments_overlay(published):
    published.invoke("cloudflare", "Say something.")
    request = _sent(published)
    assert request.header("authorization") == f"Bearer {published.canaries['CF_GATEWAY_API_KEY']}"
    assert request.header("cf-access-client-id") == published.canaries["CF_ACCESS_CLIENT_ID"]
    assert request.header("cf-access-client-secret") == published.canaries["CF_ACCESS_CLIENT_SECRET"]
    assert request.body["temperature"] == 0.9
    system = request.body["messages"][0]["content"]
    assert "You analyse." in json.dumps(system)
    assert "status" not in json.dumps(system)


def test_model_is_switched_by_a_variable_of_the_environment(published):
    file = published.folder / "environments.yaml"
    file.write_text(
        file.read_text().replace("region: us-east-1}", "region: us-east-1, variables: {ACTIVE_MODEL: my-org/other}}")
    )
    done = published.deploy()
    assert done.returncode == 0, done.stderr
    published.invoke("cloudflare", "Say something.")
    assert _sent(published).body["model"] == "my-org/other"
