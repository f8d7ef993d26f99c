"""What the gateway holds is rotated while a handler asks it: real tasks, replaced by real deployments of ECS."""

from __future__ import annotations

import datetime as dt
import time

import pytest

from strandline.rotation.consumers import find_uses, stop_sessions
from tests.local_cloud.cloud_clients import until
from tests.support.deployed_world import PREFIX, DeployedWorld
from tests.support.drill import Load
from tests.support.openai_server import Reply

pytestmark = pytest.mark.e2e

RATE = 6
PROVIDER_MODEL = "gpt-4.1-mini"
NEW = "canary-provider-rotated-09c4e1"
GATEWAY_KEY, MASTER_KEY = "STRANDLINE_GATEWAY_KEY", "LITELLM_MASTER_KEY"


@pytest.fixture(scope="module")
def world(project, provider):
    provider.script(PROVIDER_MODEL, Reply(delay=0.1, pause=0.02))
    yield DeployedWorld(project)
    provider.script(PROVIDER_MODEL, Reply())


@pytest.fixture(scope="module")
def handler(world, tmp_path_factory):
    # Where the search for canaries finds its log.
    with world.handler("routed", world.deployed.home / "drill.log") as running:
        yield running


def test_the_providers_key_rotates_by_the_command_and_the_old_one_is_not_used_again(world, handler, project, provider):
    old = project.canaries["PROVIDER_API_KEY"]
    command = ("rotate", "PROVIDER_API_KEY", "--env", "local", "--value-from", "-", "--yes")
    with Load([handler.url], RATE) as load:
        load.calm(1)
        done = project.run(*command, stdin=f"{NEW}\n")
        ended = time.monotonic()
        time.sleep(1)

    project.canaries |= {"PROVIDER_API_KEY": NEW, "PROVIDER_API_KEY_BEFORE": old}
    assert done.returncode == 0, done.stderr
    assert load.faults == []
    used = {request.key for request in provider.requests if request.arrived >= ended}
    assert used == {NEW}
    assert f"Delete the old key at its provider: 127.0.0.1:{provider.base_url.split(':')[2][:-3]}" in done.stderr


def test_the_gateways_own_keys_rotate_by_command_and_by_the_deployed_function(world, handler):
    names = (GATEWAY_KEY, MASTER_KEY)
    manager, named = world.target.client("secretsmanager"), {"SecretId": f"{PREFIX}{MASTER_KEY}"}
    old = [world.value(name) for name in names]
    with Load([handler.url], RATE) as load:
        load.calm(1)
        for name in names:
            world.rotate(name)
        rotated = world.value(MASTER_KEY)
        token = manager.rotate_secret(**named)["VersionId"]
        # Told when the last step has ended.
        until(lambda: manager.describe_secret(**named).get("LastRotatedDate"), patience=180)

    assert load.faults == []
    assert world.version(MASTER_KEY) == token
    assert [world.opens(key) for key in (*old, rotated)] == [False, False, False]
    assert [world.opens(world.value(name)) for name in names] == [True, True]
    told = world.console.file.getvalue()
    assert "none of routed answers with the old value" in told
    assert not [key for key in (*old, rotated) if key in told]


def test_who_used_a_version_is_found_in_the_agents_log_and_its_session_is_ended(world, project):
    session = f"leaked-{'0' * 33}"
    began = dt.datetime.now(dt.UTC)
    project.invoke("direct", "Use the key.", session=session)
    version = world.version("DIRECT_API_KEY")

    def found():
        return find_uses(world.target, world.project, ("direct",), version, began)

    uses = until(found)
    assert {(use.agent, use.session) for use in uses} == {("direct", session)}
    assert find_uses(world.target, world.project, ("direct",), version, dt.datetime.now(dt.UTC)) == []
    assert find_uses(world.target, world.project, ("peer",), version, began) == []

    assert stop_sessions(world.target, uses) == 1
    assert session not in str(project.cloud.status().detail["sessions"])
    # A session that has ended by itself is no fault.
    assert stop_sessions(world.target, uses) == 0
