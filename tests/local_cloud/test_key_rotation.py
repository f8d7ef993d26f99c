"""Agents' keys rotated by the function that mints them: the real proxy with its database, the cloud's own secrets."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid

import httpx
import pytest
from botocore.exceptions import ClientError

from stacks.custom_resources.agent_key import AgentKeys
from stacks.custom_resources.events import Change
from stacks.custom_resources.key_ages import AGE_METRIC, age_line, made_by_alias
from stacks.custom_resources.key_rotation import AGENT_TAG, KeyRotation
from stacks.custom_resources.proxy_admin import ProxyAdmin
from stacks.custom_resources.rotation_steps import RotationRefused
from stacks.custom_resources.secret_versions import Labels, SecretVersions
from tests.local_cloud.cloud_clients import until
from tests.support.litellm_proxy import MASTER_KEY
from tests.support.managed_world import AGENT_KEY, PREFIX

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
ROUTES = ["/v1/chat/completions", "/v1/models"]
LIMITS = {"MaxUsd": "5.0", "Per": "month", "Rpm": "60"}


@pytest.fixture
def admin(world, monkeypatch):
    monkeypatch.setenv("STRANDLINE_ENVIRONMENT", "staging")
    return ProxyAdmin(world.gateway, MASTER_KEY, sleep=lambda _: None)


class Key:
    """One agent's key as its deployment has made it."""

    def __init__(self, vault, admin, url):
        self.agent = f"agent-{uuid.uuid4().hex[:8]}"
        self.vault, self.admin, self.url = vault, admin, url
        tags = [{"Key": AGENT_TAG, "Value": self.agent}]
        self.secret = vault.create_secret(Name=f"strandline/staging/{self.agent}", Tags=tags)["ARN"]
        self.rotation = KeyRotation(admin, vault)
        self.deploy()

    def deploy(self, kind="Create"):
        properties = {"Agent": self.agent, "Secret": self.secret, "Models": ["demo"], "Routes": ROUTES, **LIMITS}
        AgentKeys(self.admin, self.vault, "staging").make(Change(kind, "r", f"staging/{self.agent}", properties))

    def value(self, label="AWSCURRENT"):
        return self.vault.get_secret_value(SecretId=self.secret, VersionStage=label)["SecretString"]

    def labels(self):
        return SecretVersions(self.vault, self.secret).labels()

    def take(self, step, token, **more):
        self.rotation.take({"Step": step, "SecretId": self.secret, "ClientRequestToken": token, **more})

    def rotate(self, **more):
        token = str(uuid.uuid4())
        for step in STEPS:
            self.take(step, token, **more)
        return token

    def info(self, value):
        answer = httpx.get(
            f"{self.url}/key/info",
            params={"key": hashlib.sha256(value.encode()).hexdigest()},
            headers={"Authorization": f"Bearer {MASTER_KEY}"},
        )
        return answer.json()["info"] if answer.status_code == 200 else None

    def ask(self, value):
        body = {"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}
        headers = {"Authorization": f"Bearer {value}"}
        return httpx.post(f"{self.url}/v1/chat/completions", json=body, headers=headers, timeout=60).status_code


@pytest.fixture
def key(world, admin):
    made = Key(world.aws.secretsmanager, admin, world.gateway)
    yield made
    world.aws.secretsmanager.delete_secret(SecretId=made.secret, ForceDeleteWithoutRecovery=True)


def test_the_new_key_has_the_limits_and_the_spend_of_the_old_one_and_both_work_for_the_grace(key):
    old = key.value()
    key.admin.update_key({"key": hashlib.sha256(old.encode()).hexdigest(), "spend": 3.5})
    before = key.info(old)

    token = key.rotate()

    new, now = key.value(), key.info(key.value())
    assert new != old
    assert key.labels().current == token
    assert [key.ask(old), key.ask(new)] == [200, 200]
    kept = ("models", "allowed_routes", "max_budget", "budget_duration", "rpm_limit", "tpm_limit", "team_id", "spend")
    assert {name: now[name] for name in kept} == {name: before[name] for name in kept}
    assert now["key_alias"] == f"staging/{key.agent}"
    # LiteLLM itself ends the old one, whether or not anybody comes back.
    ends = dt.datetime.fromisoformat(key.info(old)["expires"])
    assert 0 < (ends - dt.datetime.now(dt.UTC)).total_seconds() <= 3600
    assert now["expires"] is None


def test_without_grace_the_old_key_is_gone_at_once(key):
    old = key.value()

    key.rotate(GraceSeconds=0)

    assert key.info(old) is None
    assert [key.ask(old), key.ask(key.value())] == [401, 200]


@pytest.mark.parametrize("cut_at", range(len(STEPS)))
def test_each_step_may_come_twice_and_the_agent_has_a_key_that_works_in_between(key, cut_at):
    token, valid = str(uuid.uuid4()), []
    for step in (*STEPS[: cut_at + 1], *STEPS):
        key.take(step, token)
        valid.append(key.ask(key.value()))

    assert set(valid) == {200}
    assert key.labels().current == token
    assert len(key.admin.keys_of("staging")) == len({one["token"] for one in key.admin.keys_of("staging")})


def test_a_crash_between_the_secret_and_the_gateway_is_mended_by_whoever_comes_next(key):
    token = str(uuid.uuid4())
    for step in STEPS[:3]:
        key.take(step, token)
    SecretVersions(key.vault, key.secret).promote(token)
    assert key.admin.find_key(f"staging/{key.agent}.next")

    key.deploy("Update")

    # The deployment found the key that the secret has, and minted no other.
    assert key.labels().current == token
    assert key.admin.find_key(f"staging/{key.agent}")["metadata"]["strandline_version"] == token
    assert key.admin.find_key(f"staging/{key.agent}.next") is None
    assert key.ask(key.value()) == 200


def test_a_rotation_that_was_given_up_leaves_the_way_free(key):
    first = str(uuid.uuid4())
    key.take("createSecret", first)
    key.take("abandon", first)
    assert key.admin.find_key(f"staging/{key.agent}.next") is None

    second = key.rotate()

    # Nothing is left staged, which an operator's next rotation would take for one to go on with.
    assert key.labels() == Labels(current=second, previous=key.labels().previous)


def test_a_staged_key_that_the_gateway_does_not_take_is_told_and_changes_nothing(key):
    current, token = key.labels().current, str(uuid.uuid4())
    key.take("createSecret", token)
    key.admin.delete_key(f"staging/{key.agent}.next")

    with pytest.raises(RotationRefused, match="does not take the staged key"):
        key.take("testSecret", token)
    with pytest.raises(RotationRefused, match="has no key of the staged version"):
        key.take("finishSecret", token)

    assert key.labels().current == current
    key.take("abandon", token)
    assert key.labels().pending is None
    assert key.ask(key.value()) == 200


def test_a_second_rotation_waits_for_the_first(key):
    key.take("createSecret", str(uuid.uuid4()))

    with pytest.raises(RotationRefused, match="another rotation has not ended"):
        key.take("createSecret", str(uuid.uuid4()))


def test_a_secret_that_is_no_agents_key_is_refused(key):
    key.vault.untag_resource(SecretId=key.secret, TagKeys=[AGENT_TAG])

    with pytest.raises(RotationRefused, match="is no agent's key"):
        key.take("createSecret", str(uuid.uuid4()))


def test_no_step_tells_a_value(key, capsys):
    old = key.value()

    key.rotate()

    told = "".join(capsys.readouterr())
    assert told.count("\n") == len(STEPS)
    assert old not in told
    assert key.value() not in told


def test_the_age_is_that_of_the_oldest_key_in_use(key):
    key.rotate()
    in_use = key.admin.find_key(f"staging/{key.agent}")
    now = dt.datetime.fromisoformat(in_use["created_at"]) + dt.timedelta(days=40)
    keys = [one for one in key.admin.keys_of("staging") if key.agent in one["key_alias"]]

    line = json.loads(age_line(AGE_METRIC, made_by_alias(keys, "staging"), "staging", now))

    assert (len(keys), line["keys"]) == (2, 1)
    assert line["KeyAgeDays"] == 40
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["environment"]]


def test_secrets_manager_rotates_a_minted_key_by_its_function(world):
    """As on its schedule: the deployed function, with its own rights, is called with each of the four steps."""
    vault, secret = world.aws.secretsmanager, f"{PREFIX}{AGENT_KEY}"
    before = world.value(AGENT_KEY)
    (function,) = [one["FunctionArn"] for one in world.aws.get("lambda").list_functions()["Functions"]]

    rotated = vault.rotate_secret(SecretId=secret, RotationLambdaARN=function)

    def ended():
        return (
            SecretVersions(vault, secret).labels()
            if "LastRotatedDate" in vault.describe_secret(SecretId=secret)
            else None
        )

    labels = until(ended)
    assert (labels.current, labels.pending) == (rotated["VersionId"], None)
    assert vault.get_secret_value(SecretId=secret, VersionId=labels.previous)["SecretString"] == before
    assert world.value(AGENT_KEY) != before
    assert [world.opens(before), world.opens(world.value(AGENT_KEY))] == [True, True]


def test_a_secret_without_a_function_and_one_that_is_being_rotated_are_refused(world, key):
    """As AWS does it, and the labels stay."""
    with pytest.raises(ClientError, match="No Lambda rotation function ARN"):
        key.vault.rotate_secret(SecretId=key.secret)
    (function,) = [one["FunctionArn"] for one in world.aws.get("lambda").list_functions()["Functions"]]
    token = str(uuid.uuid4())
    key.take("createSecret", token)

    with pytest.raises(ClientError, match="A previous rotation isn't complete"):
        key.vault.rotate_secret(SecretId=key.secret, RotationLambdaARN=function)

    assert key.labels().pending == token
