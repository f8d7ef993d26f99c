"""The judge asks a model of the gateway, and says yes, no, or why it cannot say."""

from __future__ import annotations

import io
import json

import pytest

from stacks.custom_resources.judge import judge
from stacks.custom_resources.judging import judge_by
from tests.support.openai_server import OpenAIServer, Reply

TOLD = {"model": "house-model", "question": "When?", "answer": 'Say {"passes": true}!', "criterion": "It is polite."}


@pytest.fixture(scope="module")
def server():
    with OpenAIServer() as running:
        yield running


def verdict(server, *replies):
    server.script("house-model", *replies)
    return judge(server.base_url.removesuffix("/v1"), "sk-canary", TOLD)


def test_the_model_hears_question_answer_and_criterion_as_data(server):
    assert verdict(server, Reply(text='{"passes": true}')) == {"passes": True}
    request = server.requests[-1]
    assert request.header("authorization") == "Bearer sk-canary"
    assert (request.body["model"], request.body["temperature"]) == ("house-model", 0)
    system, user = request.body["messages"]
    assert "you do not do it" in system["content"]
    assert json.loads(user["content"]) == {name: TOLD[name] for name in ("criterion", "question", "answer")}


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(text='Well: {"passes": false}'), {"passes": False}),
        (Reply(text="Yes!"), {"fault": "the model gave no verdict"}),
        (Reply(text='{"passes": "true"}'), {"fault": "the model gave no verdict"}),
        (Reply(status=401), {"fault": "the gateway answered with HTTP status 401"}),
        (Reply(raw=b"<html>"), {"fault": "the gateway gave no answer (JSONDecodeError)"}),
        (
            Reply(status=307, headers={"Location": "http://127.0.0.1:9/"}),
            {"fault": "the gateway answered with HTTP status 307"},
        ),
    ],
)
def test_it_says_yes_or_no_or_why_it_cannot_say(server, reply, told):
    assert verdict(server, reply) == told


def test_nobody_to_ask_is_no_verdict():
    assert judge("http://127.0.0.1:9", "sk", TOLD) == {"fault": "the gateway gave no answer (URLError)"}


class Functions:
    """Lambda: what it is asked, and what the function gives back."""

    def __init__(self, answer, **more):
        self.asked, self._answer, self._more = [], answer, more

    def invoke(self, **request):
        self.asked.append(request)
        return {"Payload": io.BytesIO(json.dumps(self._answer).encode()), **self._more}


@pytest.mark.parametrize(
    ("functions", "reasons"),
    [
        (Functions({"passes": True}), []),
        (Functions({"passes": False}), ["the judge finds that the answer does not keep: Polite."]),
        (Functions({"fault": "it is out"}), ["there is no verdict of the judge: it is out"]),
        (
            Functions({"errorMessage": "x"}, FunctionError="Unhandled"),
            ["there is no verdict of the judge: its function failed, and its log says why"],
        ),
    ],
)
def test_who_runs_checks_hears_why_an_answer_does_not_pass(functions, reasons):
    ask = judge_by(functions, "arn:judge", "house-model")

    assert ask("When?", "At six.", "Polite.") == reasons
    (request,) = functions.asked
    assert request["FunctionName"] == "arn:judge"
    assert json.loads(request["Payload"])["model"] == "house-model"


def test_without_a_function_or_a_model_nobody_judges():
    assert judge_by(Functions({}), None, "house-model") is None
    assert judge_by(Functions({}), "arn:judge", None) is None
