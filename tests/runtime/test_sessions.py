"""Conversations: one for each session, one request at a time in each, none harmed by a failure."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from agent_runtime.conversations import Conversations
from tests.runtime.handler import MODEL_ID, SESSION, SESSION_HEADER
from tests.support.openai_server import Reply

OTHER = SESSION[::-1]


def _said(request):
    return [
        (message["role"], str(message["content"]))
        for message in request.body["messages"]
        if message["role"] != "system"
    ]


def test_turns_of_a_session_build_on_each_other(handler, endpoint):
    endpoint.script(MODEL_ID, Reply(text="First answer"), Reply(text="Second answer"))
    handler.ask("First question")
    handler.ask_streaming("Second question")
    handler.ask("Third question")

    said = _said(endpoint.requests[-1])

    assert [role for role, _ in said] == ["user", "assistant", "user", "assistant", "user"]
    for (_, text), expected in zip(said, ["First q", "First a", "Second q", "Second a", "Third q"], strict=True):
        assert expected in text


class Talk:
    """Sessions that talk all at the same time, each of its own canary, in a trace of its own."""

    SESSIONS, TURNS = 50, 3

    def __init__(self, handler, endpoint):
        self._handler = handler
        self._endpoint = endpoint
        all_there = threading.Event()
        # None is answered before all have asked.
        endpoint.script(MODEL_ID, Reply(echo=True, stop_after=0, until=all_there))
        with ThreadPoolExecutor(self.SESSIONS) as pool:
            talks = [pool.submit(self._talk, number) for number in range(self.SESSIONS)]
            endpoint.wait_for_requests(self.SESSIONS)
            all_there.set()
            self.answers = [talk.result() for talk in talks]

    def _talk(self, number):
        return [self._ask(number, turn) for turn in range(self.TURNS)]

    def _ask(self, number, turn):
        headers = {
            "Accept": ("application/json", "text/event-stream")[turn % 2],
            SESSION_HEADER: f"{number:040}",
            "traceparent": f"00-{number + 1:032x}-{turn + 1:016x}-01",
        }
        response = self._handler.client.post(
            "/invocations", json={"prompt": f"canary-{number:03}-{turn}"}, headers=headers
        )
        assert response.status_code == 200
        return response.text

    def assert_none_saw_another(self):
        """What each said, and what was said to the model for it, is of the one session only."""
        for number, texts in enumerate(self.answers):
            for turn, text in enumerate(texts):
                assert f"canary-{number:03}-{turn}" in text
                assert set(re.findall(r"canary-(\d+)", text)) == {f"{number:03}"}
                assert set(re.findall(r"\b0{37}\d{3}\b", text)) == {f"{number:040}"}
        assert len(self._endpoint.requests) == self.SESSIONS * self.TURNS
        for request in self._endpoint.requests:
            (number,) = set(re.findall(r"canary-(\d+)", request.raw.decode()))
            assert request.header("traceparent").split("-")[1] == f"{int(number) + 1:032x}"


def test_sessions_that_talk_at_the_same_time_never_see_each_other(handler, endpoint):
    talk = Talk(handler, endpoint)

    talk.assert_none_saw_another()
    # Each has its whole conversation.
    lengths = Counter(len(_said(request)) for request in endpoint.requests)
    assert lengths == {1: 50, 3: 50, 5: 50}


def test_sessions_that_are_evicted_under_load_begin_anew_and_see_no_other(serve, endpoint):
    handler = serve(maximum_conversations=10)

    talk = Talk(handler, endpoint)

    talk.assert_none_saw_another()
    assert len(handler.conversations) == 10
    # Five times as many sessions as are kept: some came back to nothing, none to half of a turn.
    lengths = Counter(len(_said(request)) for request in endpoint.requests)
    assert set(lengths) <= {1, 3, 5}
    assert lengths[1] > 50


def test_requests_of_one_session_wait_for_each_other(handler, endpoint):
    release = threading.Event()
    endpoint.script(MODEL_ID, Reply(text="First answer", stop_after=2, until=release), Reply(text="Second answer"))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(handler.ask, "First question")
        endpoint.wait_for_requests(1)
        second = pool.submit(handler.ask, "Second question")
        # Another session is not held up, and by its answer the second request has arrived.
        handler.ask("Elsewhere", session=OTHER)
        asked_meanwhile = len(endpoint.requests)
        release.set()
        first.result(), second.result()

    assert asked_meanwhile == 2
    assert "First answer" in str(_said(endpoint.requests[2]))


def test_caller_who_leaves_a_stream_ends_the_models_call_and_no_more(serve, endpoint):
    handler = serve(timeout=300.0)
    handler.ask("Before")
    endpoint.script(MODEL_ID, Reply(stop_after=3))
    with handler.streaming("Abandoned") as response:
        next(response.iter_lines())
    assert endpoint.requests[1].gone.wait(20)
    endpoint.script(MODEL_ID, Reply(text="After all"))

    handler.ask("After")

    assert "Abandoned" not in str(_said(endpoint.requests[-1]))
    assert [role for role, _ in _said(endpoint.requests[-1])] == ["user", "assistant", "user"]


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_caller_who_leaves_before_the_answer_ends_the_models_call(serve, endpoint, accept):
    handler = serve(timeout=300.0)
    endpoint.script(MODEL_ID, Reply(stop_after=0), Reply(text="After all"))
    body = b'{"prompt": "Abandoned"}'
    head = f"POST /invocations HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n{SESSION_HEADER}: {SESSION}\r\n"
    with socket.create_connection(("127.0.0.1", handler.port)) as caller:
        caller.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        endpoint.wait_for_requests(1)

    # Well before the 300 s that the endpoint has for its answer.
    assert endpoint.requests[0].gone.wait(20)
    handler.ask("After")
    assert "Abandoned" not in str(_said(endpoint.requests[-1]))


def test_least_recently_used_session_makes_room(serve, endpoint):
    handler = serve(maximum_conversations=2)
    for session in ("a" * 40, "b" * 40, "a" * 40, "c" * 40):
        handler.ask("Remember", session=session)

    handler.ask("Still there?", session="a" * 40)
    handler.ask("Forgotten?", session="b" * 40)

    assert [len(_said(request)) for request in endpoint.requests[-2:]] == [5, 1]
    assert len(handler.conversations) == 2


def test_session_in_use_or_waited_for_is_never_evicted():
    conversations = Conversations(maximum=1)

    async def take_part(session, word, entered, leave):
        async with conversations.turn(session) as messages:
            messages.append(word)
            entered.set()
            await leave.wait()
            return list(messages)

    async def run():
        entered, leave = ([asyncio.Event() for _ in range(4)] for _ in range(2))
        turns = []
        for number, session in enumerate(("shared", "other", "shared", "shared")):
            if number == 3:
                # The first has left, with the second waiting for it and one session too many.
                leave[0].set()
                await entered[2].wait()
            turns.append(asyncio.ensure_future(take_part(session, number, entered[number], leave[number])))
            await asyncio.sleep(0)
        for event in leave:
            event.set()
        return await asyncio.gather(*turns)

    assert asyncio.run(run()) == [[0], [1], [0, 2], [0, 2, 3]]
    assert len(conversations) == 1


def test_long_conversation_is_bounded(handler, endpoint):
    for number in range(30):
        handler.ask(f"Question {number}")

    assert len(_said(endpoint.requests[-1])) <= 41
