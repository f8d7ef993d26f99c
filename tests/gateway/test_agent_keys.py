"""The code that mints agents' keys, against the real proxy with a real database: what CloudFormation asks, and when it
asks twice, fails between, or goes back."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import boto3
import httpx
import pytest
import yaml
from botocore.validate import ParamValidator

from stacks.custom_resources import agent_key, events
from stacks.custom_resources.agent_key import AgentKeys
from stacks.custom_resources.events import Change, ChangeFailed
from stacks.custom_resources.proxy_admin import ProxyAdmin, ProxyRefused
from tests.support.litellm_proxy import MASTER_KEY
from tests.support.managed_proxy import managed_proxy

MODELS = ("demo", "large", "hidden")
ROUTES = ["/chat/completions", "/v1/chat/completions", "/models", "/v1/models"]
LIMITS = {"MaxUsd": "5.0", "Per": "month", "Rpm": "60", "Tpm": "1000"}
HELLO = [{"role": "user", "content": "Hello"}]


class Vault:
    """Secrets Manager's part in it; requests are held to botocore's own shapes."""

    def __init__(self):
        self.versions = {}
        self.fault = None
        self._model = boto3.client(
            "secretsmanager", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
        ).meta.service_model

    def put_secret_value(self, **request):
        self._check("PutSecretValue", request)
        if self.fault:
            raise self.fault
        self.versions.setdefault(request["SecretId"], []).append(
            (request["ClientRequestToken"], request["SecretString"])
        )
        return {"VersionId": request["ClientRequestToken"]}

    def describe_secret(self, **request):
        self._check("DescribeSecret", request)
        made = self.versions.get(request["SecretId"])
        if not made:
            return {}
        older = {token: ["AWSPREVIOUS"] for token, _ in made[:-1]}
        return {"VersionIdsToStages": {**older, made[-1][0]: ["AWSCURRENT"]}}

    def key_of(self, secret):
        return self.versions[secret][-1][1]

    def _check(self, operation, request):
        report = ParamValidator().validate(request, self._model.operation_model(operation).input_shape)
        assert not report.has_errors(), report.generate_report()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("managed")
    config = {
        "model_list": [
            {"model_name": name, "litellm_params": {"model": "openai/x", "api_key": "x", "mock_response": "Ahoy."}}
            for name in MODELS
        ],
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    with managed_proxy(path) as (url, _):
        yield url


@pytest.fixture
def vault():
    return Vault()


@pytest.fixture
def keys(proxy, vault):
    return AgentKeys(ProxyAdmin(proxy, MASTER_KEY, sleep=lambda _: None), vault, "staging")


def change(agent, kind="Create", physical_id=None, **properties):
    wanted = {"Agent": agent, "Secret": f"arn:{agent}", "Models": ["demo"], "Routes": ROUTES, **properties}
    return Change(kind, "request-1", physical_id, wanted)


def known(proxy, key):
    answer = httpx.get(
        f"{proxy}/key/info",
        params={"key": hashlib.sha256(key.encode()).hexdigest()},
        headers={"Authorization": f"Bearer {MASTER_KEY}"},
    )
    return answer.json()["info"] if answer.status_code == 200 else None


def count(proxy, alias):
    answer = httpx.get(
        f"{proxy}/key/list", params={"key_alias": alias}, headers={"Authorization": f"Bearer {MASTER_KEY}"}
    )
    return answer.json()["total_count"]


def ask(proxy, key, model="demo", path="/v1/chat/completions"):
    answer = httpx.post(
        f"{proxy}{path}",
        json={"model": model, "messages": HELLO},
        headers={"Authorization": f"Bearer {key}"},
        timeout=60,
    )
    return answer.status_code


def test_an_agents_key_has_its_budget_and_opens_its_models_and_nothing_else(proxy, keys, vault):
    alias = keys.make(change("tide", Models=["demo", "large"], **LIMITS))

    key = vault.key_of("arn:tide")
    info = known(proxy, key)
    assert alias == info["key_alias"] == "staging/tide"
    assert re.fullmatch(r"sk-[A-Za-z0-9_-]{43}", key)
    assert (info["max_budget"], info["budget_duration"]) == (5.0, "1mo")
    assert (info["rpm_limit"], info["tpm_limit"]) == (60, 1000)
    assert info["budget_reset_at"]
    assert (info["team_id"], info["models"]) == ("staging", ["demo", "large"])
    assert [ask(proxy, key), ask(proxy, key, "large"), ask(proxy, key, "hidden")] == [200, 200, 403]
    assert ask(proxy, key, path="/v1/embeddings") in (401, 403)
    admin = httpx.get(f"{proxy}/key/list", headers={"Authorization": f"Bearer {key}"})
    assert admin.status_code in (401, 403)


@pytest.mark.parametrize(("per", "duration"), [("day", "1d"), ("week", "7d"), ("month", "1mo")])
def test_each_period_is_one_that_the_gateway_resets_by(proxy, keys, vault, per, duration):
    keys.make(change(per, **{**LIMITS, "Per": per}))

    info = known(proxy, vault.key_of(f"arn:{per}"))
    assert info["budget_duration"] == duration
    assert info["budget_reset_at"]


def test_an_agent_without_a_budget_has_a_key_without_limits(proxy, keys, vault):
    keys.make(change("free"))

    info = known(proxy, vault.key_of("arn:free"))
    assert (info["max_budget"], info["rpm_limit"], info["tpm_limit"]) == (None, None, None)
    assert info["models"] == ["demo"]


def test_a_changed_budget_changes_the_key_and_mints_no_other(proxy, keys, vault):
    alias = keys.make(change("changed", **LIMITS))
    key = vault.key_of("arn:changed")

    again = keys.make(change("changed", "Update", alias, Models=["large"], MaxUsd="9", Per="week", Rpm="7"))

    info = known(proxy, key)
    assert again == alias
    assert (info["max_budget"], info["budget_duration"], info["rpm_limit"], info["tpm_limit"]) == (9.0, "7d", 7, None)
    assert info["models"] == ["large"]
    assert len(vault.versions["arn:changed"]) == 1
    keys.make(change("changed", "Update", alias))
    assert known(proxy, key)["max_budget"] is None


def test_an_event_that_comes_twice_makes_one_key(proxy, keys, vault):
    first = keys.make(change("twice", **LIMITS))

    assert keys.make(change("twice", **LIMITS)) == first

    assert len(vault.versions["arn:twice"]) == 1
    assert count(proxy, "staging/twice") == 1


def test_an_attempt_that_ended_before_its_key_was_kept_leaves_none_behind(proxy, keys, vault):
    lost = "sk-lost-between-the-gateway-and-the-vault"
    ProxyAdmin(proxy, MASTER_KEY).generate_key({"key": lost, "key_alias": "staging/lost"})

    keys.make(change("lost"))

    assert known(proxy, lost) is None
    assert ask(proxy, vault.key_of("arn:lost")) == 200
    assert count(proxy, "staging/lost") == 1


def test_a_key_that_the_vault_does_not_take_is_no_key(proxy, keys, vault):
    vault.fault = RuntimeError("refused the value sk-something")

    with pytest.raises(ChangeFailed) as failed:
        keys.make(change("unkept"))

    assert str(failed.value) == "staging/unkept: Secrets Manager did not take the key (RuntimeError)"
    assert count(proxy, "staging/unkept") == 0


def test_a_key_that_the_gateway_has_forgotten_is_minted_again(proxy, keys, vault):
    alias = keys.make(change("forgotten"))
    ProxyAdmin(proxy, MASTER_KEY).delete_key(alias)

    keys.make(change("forgotten", "Update", alias))

    assert len(vault.versions["arn:forgotten"]) == 2
    assert ask(proxy, vault.key_of("arn:forgotten")) == 200


def test_the_key_goes_with_the_agent_and_no_other_goes_with_it(proxy, keys, vault):
    alias = keys.make(change("gone"))
    keys.make(change("kept"))

    assert keys.make(change("gone", "Delete", alias)) == alias
    assert keys.make(change("gone", "Delete", alias)) == alias

    assert known(proxy, vault.key_of("arn:gone")) is None
    assert ask(proxy, vault.key_of("arn:gone")) == 401
    assert ask(proxy, vault.key_of("arn:kept")) == 200


def test_what_was_never_made_is_deleted_without_asking_the_gateway(vault):
    keys = AgentKeys(ProxyAdmin("http://127.0.0.1:9", MASTER_KEY), vault, "staging")

    assert keys.make(change("never", "Delete", "never-made-request-1")) == "never-made-request-1"


def test_a_master_key_that_the_gateway_does_not_know_fails_and_is_not_told(proxy, vault):
    keys = AgentKeys(ProxyAdmin(proxy, "sk-canary-wrong"), vault, "staging")

    with pytest.raises(ChangeFailed) as failed:
        keys.make(change("refused"))

    assert str(failed.value) == "staging/refused: the gateway answered /key/list with 401"


def test_a_gateway_that_is_not_there_yet_is_asked_again_and_then_told(vault):
    pauses = []
    admin = ProxyAdmin("http://127.0.0.1:9", MASTER_KEY, sleep=pauses.append)

    with pytest.raises(ProxyRefused, match="answered /key/list with nothing"):
        admin.find_key("staging/tide")

    assert sum(pauses) == 60


class Door(BaseHTTPRequestHandler):
    """CloudFormation's address for answers, and a proxy that points elsewhere."""

    def do_PUT(self):
        self.server.answers.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        self.send_response(302)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_):
        """Says nothing."""


@pytest.fixture
def door():
    server = HTTPServer(("127.0.0.1", 0), Door)
    server.answers, server.asked = [], []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_master_key_follows_no_redirect(door):
    admin = ProxyAdmin(f"http://127.0.0.1:{door.server_port}", MASTER_KEY)

    with pytest.raises(ProxyRefused, match="with 302"):
        admin.find_key("staging/tide")

    assert [path.partition("?")[0] for path, _ in door.asked] == ["/key/list"]


def event(door, kind="Create", **members):
    return {
        "RequestType": kind,
        "RequestId": "request-1",
        "ResponseURL": f"http://127.0.0.1:{door.server_port}/",
        "StackId": "arn:stack",
        "LogicalResourceId": "Minted",
        "ResourceProperties": change("answered").properties,
        **members,
    }


def test_cloudformation_is_told_that_it_is_done_and_gets_no_value(door, proxy, vault, monkeypatch, capsys):
    master = {"SecretString": MASTER_KEY}
    vault.get_secret_value = lambda SecretId: master if SecretId == "strandline/staging/LITELLM_MASTER_KEY" else None
    monkeypatch.setattr("boto3.client", lambda _: vault)
    monkeypatch.setenv("MASTER_KEY_SECRET", "strandline/staging/LITELLM_MASTER_KEY")
    monkeypatch.setenv("GATEWAY_URL", proxy)
    monkeypatch.setenv("STRANDLINE_ENVIRONMENT", "staging")

    agent_key.handler(event(door), SimpleNamespace(log_stream_name="stream"))

    (answer,) = door.answers
    assert answer == {
        "Status": "SUCCESS",
        "Reason": "",
        "PhysicalResourceId": "staging/answered",
        "StackId": "arn:stack",
        "RequestId": "request-1",
        "LogicalResourceId": "Minted",
        "NoEcho": True,
    }
    told = str(answer) + "".join(capsys.readouterr())
    assert vault.key_of("arn:answered") not in told
    assert MASTER_KEY not in told


def test_a_fault_that_nobody_expected_is_told_by_its_kind_alone(door, capsys):
    def breaks(_):
        raise RuntimeError("holds sk-canary")

    events.answer(event(door), SimpleNamespace(log_stream_name="2026/stream"), breaks)

    (answer,) = door.answers
    assert answer["Status"] == "FAILED"
    assert answer["Reason"] == "RuntimeError, which nobody expected: see 2026/stream"
    assert answer["PhysicalResourceId"] == "never-made-request-1"
    assert "sk-canary" not in "".join(capsys.readouterr())
