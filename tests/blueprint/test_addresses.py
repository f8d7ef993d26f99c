"""Addresses: what would hand out a cloud's credentials or reach into a network is refused, whatever its notation."""

from typing import Any

import pytest
from pydantic import ValidationError

from agent_runtime.addresses import check_url, reach_of_host
from agent_runtime.blueprint import Blueprint

MODEL: dict[str, Any] = {"provider": "litellm", "model_id": "demo", "temperature": 0.2, "max_tokens": 500}


def agent(url: str, network_mode: str = "PUBLIC") -> Blueprint:
    document = {"id": "hello", "name": "Hello", "version": "1.0.0", "prompt_ref": "hello"}
    return Blueprint.model_validate(
        {**document, "model": {**MODEL, "base_url": url}, "runtime": {"network_mode": network_mode}}
    )


NEVER = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "169.254.0.1",
    "2852039166",
    "0xA9FEA9FE",
    "0xa9.0xfe.0xa9.0xfe",
    "0251.0376.0251.0376",
    "0000251.0376.0251.0376",
    "169.254.43518",
    "169.16689662",
    "169.254.169.254.",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[fd00:ec2::23]",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[0:0:0:0:0:ffff:a9fe:a9fe]",
    "[::169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b::169.254.169.254]",
    "[64:ff9b:1::a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]",
    "[2001:0:4136:e378:8000:63bf:5601:5601]",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "0.0.0.0",  # noqa: S104 - a text to refuse
    "0",
    "[::]",
    "224.0.0.1",
    "[ff02::1]",
    "metadata",
    "metadata.google.internal",
    "METADATA.google.internal.",
    "metadata.goog",
    "instance-data",
    "instance-data.ec2.internal",
    "169.254.169.254.nip.io",
    "169-254-169-254.sslip.io",
    "anything.nip.io",
    "localtest.me",
    "a.lvh.me",
    "7f000001.c0a80001.rbndr.us",
]

PRIVATE_ONLY = [
    "10.0.0.5",
    "10.1",
    "172.16.0.1",
    "172.31.255.254",
    "192.168.1.1",
    "3232235777",
    "0xC0A80101",
    "100.64.0.1",
    "198.18.0.1",
    "240.0.0.1",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[::ffff:10.0.0.5]",
    "[::10.0.0.5]",
    "[64:ff9b::10.0.0.5]",
    "[2002:a00:5::1]",
]

LOOPBACK = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "[::1]",
    "localhost",
    "LOCALHOST.",
    "a.localhost",
]

LEGITIMATE = [
    "https://api.openai.com/v1",
    "https://api.anthropic.com",
    "https://gateway.ai.cloudflare.com/v1/account/gateway/openai",
    "https://openrouter.ai/api/v1",
    "https://generativelanguage.googleapis.com/v1beta/openai",
    "https://my-resource.openai.azure.com/openai/v1",
    "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1",
    "https://api.mistral.ai/v1",
    "https://api.deepseek.com/v1",
    "https://api.groq.com/openai/v1",
    "https://api.together.xyz/v1",
    "https://api.fireworks.ai/inference/v1",
    "https://llm.your-company.example.com",
    "https://your-litellm-proxy.example.com:8443/v1/",
    "https://internal-proxy-1234567890.eu-west-1.elb.amazonaws.com/v1",
    "https://xn--exmple-cua.com/v1",
    "https://a.b.c.d.example.co.uk",
    "https://8.8.8.8/v1",
    "https://[2606:4700:4700::1111]/v1",
    "https://metadata.example.com",
    "https://169.example.com",
    "https://10.example.com/v1",
    "https://nip.io.example.com",
    "https://localhost.example.com",
    "https://my_host.example.com/%7Eteam/v1",
]


def test_the_corpus_is_as_large_as_promised():
    assert len(set(NEVER + PRIVATE_ONLY + LOOPBACK)) >= 60
    assert len(set(LEGITIMATE)) >= 20


@pytest.mark.parametrize("host", NEVER)
@pytest.mark.parametrize("network_mode", ["PUBLIC", "PRIVATE"])
def test_what_hands_out_credentials_is_refused_in_every_network(host, network_mode):
    for scheme in ("https", "http"):
        with pytest.raises(ValidationError):
            agent(f"{scheme}://{host}/v1", network_mode)


@pytest.mark.parametrize("host", PRIVATE_ONLY)
def test_a_private_address_wants_a_private_network(host):
    assert agent(f"https://{host}/v1", "PRIVATE")
    with pytest.raises(ValidationError, match="private address"):
        agent(f"https://{host}/v1", "PUBLIC")
    with pytest.raises(ValidationError, match="plain http"):
        agent(f"http://{host}/v1", "PRIVATE")


@pytest.mark.parametrize("host", LOOPBACK)
def test_the_machine_itself_is_recognised_in_every_notation(host):
    assert reach_of_host(host.strip("[]").lower()) == "loopback"
    assert check_url(f"http://{host}:4000/v1")


@pytest.mark.parametrize("url", LEGITIMATE)
def test_legitimate_endpoints_pass(url):
    assert agent(url).model.base_url == url


def test_the_address_of_another_protocols_tunnel_is_told_by_what_it_carries():
    assert reach_of_host("2001:0:4136:e378:8000:63bf:f7f7:f7f7") == "public"  # Teredo to 8.8.8.8
    assert reach_of_host("2002:808:808::1") == "public"
