"""Keys and spend as operators see them: against the real LiteLLM proxy with a real database."""

from __future__ import annotations

import datetime as dt
import time
from types import SimpleNamespace

import httpx
import openai
import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from strandline.cli import app
from strandline.gateway_client import GatewayClient
from strandline.gateway_reports import check_health, list_keys, sum_spend
from tests.support.litellm_proxy import MASTER_KEY
from tests.support.managed_proxy import managed_proxy

DAY = dt.timedelta(days=1)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    config = {
        "model_list": [
            {
                "model_name": "demo",
                "litellm_params": {"model": "openai/gpt-4.1-mini", "mock_response": "Hello", "api_key": "none"},
            }
        ],
        # What was spent is written in batches; a second is the shortest that LiteLLM takes.
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY", "proxy_batch_write_at": 1},
    }
    file = tmp_path_factory.mktemp("gateway") / "config.yaml"
    file.write_text(yaml.safe_dump(config))
    with managed_proxy(file) as (url, _):
        yield GatewayClient(url, MASTER_KEY)


def mint(client, **fields):
    answer = httpx.post(
        f"{client.url}/key/generate", json=fields, headers={"Authorization": f"Bearer {MASTER_KEY}"}, timeout=60
    )
    return answer.raise_for_status().json()["key"]


@pytest.fixture(scope="module")
def tides(client):
    """The key of an agent that has a budget and limits."""
    return mint(
        client, key_alias="tides", models=["demo"], max_budget=5.0, budget_duration="30d", rpm_limit=60, tpm_limit=9000
    )


def test_health_tells_that_the_database_answers(client):
    found = check_health(client)

    assert found.database is True
    assert found.is_good


def test_keys_are_listed_with_budget_and_limits_and_without_their_values(client, tides):
    (key,) = (one for one in list_keys(client) if one.alias == "tides")

    assert key.models == ("demo",)
    assert (key.spend_usd, key.budget_usd, key.period) == (0.0, 5.0, "30d")
    assert (key.rpm, key.tpm, key.blocked, key.expires) == (60, 9000, False, None)
    assert key.resets_at
    assert tides not in str(key)
    assert tides[-4:] not in str(key)


def test_more_keys_than_one_page_holds_are_all_listed(client, tides, monkeypatch):
    for number in range(3):
        mint(client, key_alias=f"many-{number}")
    monkeypatch.setattr("strandline.gateway_reports._KEYS_A_PAGE", 2)

    aliases = [key.alias for key in list_keys(client)]

    assert {"many-0", "many-1", "many-2", "tides"} <= set(aliases)
    assert len(aliases) == len(set(aliases))


def test_spend_is_summed_by_key_model_provider_and_day(client, tides):
    with openai.OpenAI(base_url=f"{client.url}/v1", api_key=tides, max_retries=0, timeout=60) as caller:
        for _ in range(2):
            caller.chat.completions.create(model="demo", messages=[{"role": "user", "content": "Hi"}])
    today = dt.datetime.now(dt.UTC).date()

    def rows(by):
        # A day on either side: the test may run over midnight.
        return {row.name: row for row in sum_spend(client, today - DAY, today + DAY, by)}

    for _ in range(300):
        if rows("key").get("tides") and rows("key")["tides"].requests == 2:
            break
        time.sleep(0.2)
    found = rows("key")["tides"]
    assert (found.requests, found.failed) == (2, 0)
    assert found.input_tokens > 0
    assert found.output_tokens > 0
    assert found.usd == pytest.approx(found.input_tokens * 0.4e-6 + found.output_tokens * 1.6e-6)
    assert rows("model")["demo"].usd == pytest.approx(found.usd)
    assert rows("provider")["openai"].requests == 2
    days = rows("day")
    assert sum(day.usd for day in days.values()) == pytest.approx(found.usd)


def test_tables_show_budget_limits_and_spend_and_no_key(client, tides, monkeypatch):
    managed = SimpleNamespace(environment=SimpleNamespace(gateway=SimpleNamespace(is_managed=True)))
    managed.environment.name = "staging"
    monkeypatch.setattr("strandline.commands.gateway.open_target", lambda *_: managed)
    monkeypatch.setattr("strandline.gateway_client.open_gateway", lambda *_: client)
    monkeypatch.setattr("strandline.commands.gateway.stdout", Console(width=200))

    keys = CliRunner().invoke(app, ["gateway", "keys", "--env", "staging"])
    spent = CliRunner().invoke(app, ["gateway", "spend", "--by", "day", "--env", "staging"])

    (row,) = (line for line in keys.output.splitlines() if line.startswith("tides"))
    assert "5 per 30d" in row
    assert "active" in row
    assert tides not in keys.output
    assert spent.exit_code == 0, spent.output
    assert spent.output.splitlines()[0].split() == ["day", "USD", "requests", "failed", "tokens", "in", "tokens", "out"]


def test_a_day_without_a_call_has_no_spend(client):
    long_ago = dt.date(2020, 1, 1)

    assert sum_spend(client, long_ago, long_ago, "key") == []
