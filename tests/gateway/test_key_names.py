"""The gateway's own keys have one name each in what runs in the proxy, at synth, and where a blueprint is read."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from agent_runtime.rules import EnvName
from gateway.proxy.keys import INFERENCE_KEY, MASTER_KEY, read_key, read_next
from stacks.names import next_key


@pytest.mark.parametrize("key", [MASTER_KEY, INFERENCE_KEY])
def test_the_proxy_reads_what_is_deployed(key, monkeypatch):
    monkeypatch.setenv(key, "present")
    monkeypatch.setenv(next_key(key), "following")

    assert (read_key(key), read_next(key)) == (b"present", b"following")


@pytest.mark.parametrize("key", [MASTER_KEY, next_key(MASTER_KEY), INFERENCE_KEY, next_key(INFERENCE_KEY)])
def test_no_agent_names_one(key):
    with pytest.raises(ValidationError, match="gateway's own key"):
        TypeAdapter(EnvName).validate_python(key)


def test_another_name_is_an_agents_to_use():
    assert TypeAdapter(EnvName).validate_python("TIDE_API_KEY") == "TIDE_API_KEY"
