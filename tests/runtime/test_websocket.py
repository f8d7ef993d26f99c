"""`/ws`: several turns over one connection, events as messages, errors without closing, an end by who leaves."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import ExitStack

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from agent_runtime.request_guard import MAXIMUM_BODY_BYTES
from tests.runtime.handler import MODEL_ID, SESSION, SESSION_HEADER, text_of
from tests.support.openai_server import Reply

LARGE = 3 * MAXIMUM_BODY_BYTES


@pytest.fixture
def open_socket(handler):
    """Opens connections to a handler's `/ws`."""
    with ExitStack() as opened:

        def start(on=handler, session=SESSION, **headers):
            headers |= {SESSION_HEADER: session} if session else {}
            url = f"ws://127.0.0.1:{on.port}/ws"
            return opened.enter_context(connect(url, additional_headers=headers, max_size=LARGE, proxy=None))

        yield start


def _turn(connection, payload):
    """Sends a message and gives the events of its answer."""
    connection.send(payload if isinstance(payload, str | bytes) else json.dumps(payload))
    events = []
    while not events or events[-1].get("type") not in ("done", "error"):
        events.append(json.loads(connection.recv(30)))
    return events


def test_turns_of_a_connection_are_one_conversation(open_socket, endpoint):
    endpoint.script(MODEL_ID, Reply(text="High water at six."), Reply(text="Low water at noon."))
    connection = open_socket(session=None)

    first, second = _turn(connection, {"prompt": "When is high water?"}), _turn(connection, {"prompt": "And low?"})

    assert (text_of(first), text_of(second)) == ("High water at six.", "Low water at noon.")
    assert first[-1]["session_id"] == second[-1]["session_id"]
    asked = [message["role"] for message in endpoint.requests[1].body["messages"]]
    assert asked == ["system", "user", "assistant", "user"]


def test_events_are_those_of_the_stream(open_socket, handler):
    over_http = handler.ask_streaming(session=SESSION[::-1])

    over_socket = _turn(open_socket(), {"prompt": "Hello"})

    def kinds(events):
        return [(event.get("type"), next(iter(event.get("event", {"": 0})))) for event in events]

    assert kinds(over_socket) == kinds(over_http)
    assert over_socket[-1]["session_id"] == SESSION


def test_answer_without_a_stream_is_one_message(open_socket):
    (answer,) = _turn(open_socket(), {"prompt": "Hello", "stream": False})

    assert answer["type"] == "done"


def test_binary_messages_are_taken_as_text_is(open_socket):
    assert _turn(open_socket(), b'{"prompt": "Hello"}')[-1]["type"] == "done"


@pytest.mark.parametrize(
    ("message", "kind", "words"),
    [
        ("no json", "bad_request", "not JSON"),
        ("[]", "bad_request", "JSON object"),
        ('{"prompt": ""}', "bad_request", "prompt must be a text"),
        (100 * "[", "bad_request", "not JSON"),
        ('{"prompt": "' + MAXIMUM_BODY_BYTES * "x" + '"}', "payload_too_large", "larger than"),
    ],
)
def test_what_is_wrong_is_told_and_the_connection_goes_on(open_socket, endpoint, message, kind, words):
    connection = open_socket()

    (error,) = _turn(connection, message)

    assert error["error"]["type"] == kind
    assert words in error["error"]["message"]
    assert endpoint.requests == []
    assert _turn(connection, {"prompt": "Hello"})[-1]["type"] == "done"


def test_failure_of_the_model_is_told_and_the_connection_goes_on(open_socket, endpoint):
    endpoint.script(MODEL_ID, Reply(status=404), Reply(text="High water at six.", cut_after=4), Reply())
    connection = open_socket()

    failures = [_turn(connection, {"prompt": "Hello"})[-1]["error"]["type"] for _ in range(2)]

    assert failures == ["model_refused", "model_answer_broken"]
    assert _turn(connection, {"prompt": "Hello"})[-1]["type"] == "done"


def test_message_beyond_all_bounds_ends_the_connection_as_the_protocol_says(open_socket):
    connection = open_socket()

    connection.send("x" * (2 * MAXIMUM_BODY_BYTES + 1))

    with pytest.raises(ConnectionClosed) as closed:
        connection.recv(30)
    assert closed.value.rcvd.code == 1009


def test_session_id_that_agentcore_would_not_send_is_told(open_socket):
    (error,) = _turn(open_socket(session="short"), {"prompt": "Hello"})

    assert "33 to 256 characters" in error["error"]["message"]


def test_messages_wait_for_the_turn_before_them(open_socket, endpoint):
    endpoint.script(MODEL_ID, *(Reply(text=f"Answer {number}") for number in range(5)))
    connection = open_socket()
    for number in range(5):
        connection.send(json.dumps({"prompt": f"Question {number}", "stream": False}))

    answers = [json.loads(connection.recv(30))["result"]["content"][0]["text"] for _ in range(5)]

    assert answers == [f"Answer {number}" for number in range(5)]


def test_caller_who_leaves_ends_the_models_call_and_the_conversation_stays_as_it_was(serve, endpoint, open_socket):
    handler = serve(timeout=300.0)
    connection = open_socket(handler)
    _turn(connection, {"prompt": "Before"})
    endpoint.script(MODEL_ID, Reply(stop_after=3), Reply(text="After all"))
    connection.send(json.dumps({"prompt": "Abandoned"}))
    connection.recv(30)
    assert handler.client.get("/ping").json()["status"] == "HealthyBusy"

    connection.close()

    assert endpoint.requests[1].gone.wait(20)
    handler.ask("After")
    assert "Abandoned" not in str(endpoint.requests[-1].body["messages"])
    assert "Before" in str(endpoint.requests[-1].body["messages"])


def test_open_connection_without_a_turn_is_not_busy(open_socket, handler):
    connection = open_socket()
    _turn(connection, {"prompt": "Hello"})

    assert handler.client.get("/ping").json()["status"] == "Healthy"


def test_trace_of_the_handshake_is_that_of_the_turns(open_socket, endpoint):
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    _turn(open_socket(traceparent=parent), {"prompt": "Hello"})

    assert endpoint.requests[0].header("traceparent") == parent


def test_connections_at_once_do_not_wait_for_each_other(open_socket, endpoint):
    release = threading.Event()
    endpoint.script(MODEL_ID, Reply(stop_after=2, until=release), Reply(text="At once"))
    slow, fast = open_socket(session="a" * 40), open_socket(session="b" * 40)
    slow.send(json.dumps({"prompt": "Slow"}))
    endpoint.wait_for_requests(1)

    answered = _turn(fast, {"prompt": "Fast"})
    release.set()

    assert text_of(answered) == "At once"
    while json.loads(slow.recv(30)).get("type") != "done":
        pass


def test_what_speaks_websocket_is_not_imported_at_the_start():
    code = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "from agent_runtime.http_app import build_app, server_options\n"
        "import bedrock_agentcore, uvicorn\n"
        "class Service:\n    details = dict\n"
        "uvicorn.Config(build_app(Service()), **server_options()).load()\n"
        # The SDK itself imports the exceptions.
        "print([name for name in ('websockets.server', 'uvicorn.protocols.websockets') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
