"""Conversations: one for each session, one request at a time in each, none harmed by a failure."""

from __future__ import annotations

import asyncio
import socket
import threading
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


def test_sessions_never_see_each_other(handler, endpoint):
    def talk(number):
        for turn in range(3):
            handler.ask(f"canary-{number}-{turn}", session=f"{number:040}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(talk, range(8)))

    for request in endpoint.requests:
        sessions = {text.split("canary-")[1][0] for role, text in _said(request) if role == "user"}
        assert len(sessions) == 1
    assert len(endpoint.requests) == 24


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


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=400),
        Reply(status=401),
        Reply(status=404),
        Reply(cut_after=4),
        Reply(cut_after=0),
        Reply(choices=False),
        Reply(raw=b'data: {"choices": [{"de\n\n'),
    ],
    ids=["400", "401", "404", "cut", "cut-at-once", "empty-choices", "malformed"],
)
def test_failed_turn_leaves_the_conversation_as_it_was(handler, endpoint, reply):
    handler.ask("Before")
    endpoint.script(MODEL_ID, reply)
    assert handler.invoke({"prompt": "Failing"}).status_code == 502
    assert "error" in handler.ask_streaming("Failing, streamed")[-1]
    endpoint.script(MODEL_ID, Reply(text="After all"))

    answer = handler.ask("After")

    assert answer["result"]["content"] == [{"text": "After all"}]
    assert [role for role, _ in _said(endpoint.requests[-1])] == ["user", "assistant", "user"]
    assert "Failing" not in str(_said(endpoint.requests[-1]))


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
