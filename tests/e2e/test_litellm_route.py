"""LiteLLM's `bedrock/agentcore/<arn>` route asks a deployed agent through the local cloud's `InvokeAgentRuntime`."""

from __future__ import annotations

import asyncio
import os
import secrets
import warnings

import pytest

from tests.e2e.conftest import ACCOUNT, REGION

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
os.environ.setdefault("LITELLM_MODE", "PRODUCTION")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import litellm

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore")]
# One for all: each new session is a process that has to start.
SESSION = f"litellm-{secrets.token_hex(20)}"
IMAGE = "data:image/gif;base64,R0lGODlhAQABAAAAACw="


@pytest.fixture
def request_of(project):
    """Makes LiteLLM's request to an agent; signed, as AWS wants it."""
    known = project.cloud.environment(ACCOUNT)

    def make(content, agent="direct", **more):
        return {
            "model": f"bedrock/agentcore/{project.runtime_arn(agent)}",
            "messages": [{"role": "user", "content": content}],
            "aws_bedrock_runtime_endpoint": known["AWS_ENDPOINT_URL"],
            "aws_access_key_id": known["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": known["AWS_SECRET_ACCESS_KEY"],
            "aws_region_name": REGION,
            "qualifier": "live",
            "runtimeSessionId": SESSION,
            "num_retries": 0,
        } | more

    return make


def _pieces(chunks):
    return [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]


def test_plain(project, request_of):
    answer = litellm.completion(**request_of("Say something."))

    assert answer.choices[0].message.content == project.provider.default.text
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (11, 7)
    assert "Say something." in str(project.provider.requests[-1].body["messages"])


def test_streamed(project, request_of):
    chunks = list(litellm.completion(**request_of("Say something."), stream=True))

    pieces = _pieces(chunks)
    assert "".join(pieces) == project.provider.default.text
    assert len(pieces) > 1
    assert chunks[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize("stream", [False, True])
def test_asynchronous(project, request_of, stream):
    async def ask():
        answer = await litellm.acompletion(**request_of("Say something."), stream=stream)
        if not stream:
            return answer.choices[0].message.content
        return "".join(_pieces([chunk async for chunk in answer]))

    assert asyncio.run(ask()) == project.provider.default.text


def test_session_goes_on(project, request_of):
    litellm.completion(**request_of("My name is Ada."))
    litellm.completion(**request_of("What is my name?"))

    assert "My name is Ada." in str(project.provider.requests[-1].body["messages"])


def test_images_are_forwarded(project, request_of):
    content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": IMAGE}}]

    litellm.completion(**request_of(content, forward_multimodal_content=True))

    text, image = project.provider.requests[-1].body["messages"][-1]["content"]
    assert text["text"] == "What is this?"
    assert image["image_url"]["url"] == IMAGE


def test_what_the_agent_does_not_take_is_an_error_and_no_empty_answer(request_of):
    with pytest.raises(litellm.exceptions.BadRequestError):
        litellm.completion(**request_of(" "))
