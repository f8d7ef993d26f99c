"""LiteLLM's `bedrock/agentcore/<arn>` route reads our answers, plain and streamed."""

from __future__ import annotations

import importlib

import pytest

from tests.runtime.handler import MODEL_ID
from tests.support.openai_server import Reply

ARN = "arn:aws:bedrock-agentcore:eu-central-1:123456789012:runtime/tide-AbCdEf1234"
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module", name="litellm")
def imported_litellm():
    """Imported by who needs it: it takes seconds, and each process of the tests reads this module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        patch.setenv("LITELLM_MODE", "PRODUCTION")
        yield importlib.import_module("litellm")


@pytest.fixture
def complete(handler, litellm):
    """Asks through LiteLLM, whose requests go to our handler instead of AWS."""

    def ask(**more):
        return litellm.completion(
            model=f"bedrock/agentcore/{ARN}",
            messages=[{"role": "user", "content": "When is high water?"}],
            aws_bedrock_runtime_endpoint=handler.url,
            api_key="a-token",
            num_retries=0,
            **more,
        )

    return ask


def test_plain_answer_is_the_text_and_our_usage(complete, endpoint):
    endpoint.script(MODEL_ID, Reply(text="High water at six.", reasoning="The moon."))

    answer = complete()

    assert answer.choices[0].message.content == "High water at six."
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (11, 7)
    assert "When is high water?" in str(endpoint.requests[0].body["messages"])


def test_streamed_answer_is_the_text_in_pieces(complete, endpoint):
    endpoint.script(MODEL_ID, Reply(text="High water at six.", reasoning="The moon."))

    chunks = list(complete(stream=True))

    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert "".join(pieces) == "High water at six."
    assert len(pieces) > 1
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_json_answer_is_read_by_the_same_parser(handler, endpoint, litellm):
    endpoint.script(MODEL_ID, Reply(text="High water at six.", reasoning="The moon."))

    route = importlib.import_module("litellm.llms.bedrock.chat.agentcore.transformation")
    parsed = route.AmazonAgentCoreConfig()._get_parsed_response(handler.invoke({"prompt": "Hello"}))

    assert parsed["content"] == "High water at six."


@pytest.mark.parametrize("stream", [False, True])
def test_failure_is_raised_and_not_an_empty_answer(complete, endpoint, stream):
    endpoint.script(MODEL_ID, Reply(status=401))

    with pytest.raises(Exception, match="refuses the key of secret"):
        list(complete(stream=stream))
