"""Sessions that platform V2 restores from one snapshot, shown on copies of the handler's process.

`tests/snapshot/process.py` says how the copies are made, and why they cannot notice that they are copies.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.snapshot.conftest import PREFIX, SECRETS, started
from tests.snapshot.snapshots import PROMPT
from tests.support.openai_server import Reply, ToolCall

MODEL_ID = "my-org/tide-model"
LIGHT = f"""
model:
  provider: litellm
  base_url: <endpoint>
  api_key_env: MODEL_KEY
  extra_headers_env: {{X-Team: TEAM}}
  model_id: {MODEL_ID}
  temperature: 0.25
  max_tokens: 321
"""
LITELLM = LIGHT + "  client: litellm\n"
EQUIPPED = (
    LIGHT
    + """
tools:
  - mcp: {url: <tools>, headers_env: {X-Api-Key: TOOLS_KEY}}
observability:
  data_protection: {provider: presidio, presidio_entities: [EMAIL_ADDRESS]}
"""
)
MEMBERS = {"light": LIGHT, "litellm": LITELLM, "tools and data protection": EQUIPPED}
BEDROCK = """
model:
  provider: bedrock
  model_id: anthropic.claude-sonnet-4-5
  temperature: 0.25
  max_tokens: 321
"""
OTHERS = {
    "bedrock": BEDROCK,
    "anthropic": BEDROCK.replace("bedrock", "anthropic") + "  api_key_env: MODEL_KEY\n",
    "vertex": BEDROCK.replace("bedrock", "vertex") + "  api_key_env: MODEL_KEY\n",
    "MCP": LIGHT + "runtime: {protocol: MCP}\n",
    "A2A": LIGHT + "runtime: {protocol: A2A}\n",
    "traces": LIGHT + "observability: {otlp: {endpoint: <endpoint>, headers_env: {Authorization: TEAM}}}\n",
}
NEW = {name: text.replace("before", "after-a-rotation") for name, text in SECRETS.items()}
HARMLESS_GENERATORS = {
    # Masks the frames of a client's websockets; LiteLLM brings aiohttp, and we open none by it.
    "aiohttp._websocket.writer.WebSocketWriter.__init__",
    # Names of files in a microVM of the session's own, which are opened only if they are new.
    "tempfile._RandomNameSequence",
}
WEEK = 7 * 24 * 3600.0
CLOCKS = (
    {"wall": WEEK, "monotonic": 0},  # the machine stood still, and its wall clock was put right
    {"wall": WEEK, "monotonic": WEEK},
    {"wall": -3600.0, "monotonic": WEEK},
)


@pytest.fixture(scope="module", params=MEMBERS)
def snapshot(request, tmp_path_factory):
    """A handler at its first healthy ping; one of each kind for all tests."""
    with started(tmp_path_factory.mktemp("agent"), MEMBERS[request.param]) as running:
        running.kind = request.param
        yield running


@pytest.fixture(scope="module")
def talks(snapshot):
    """What two copies say, at the same time, after all secrets were rotated."""
    copies = [snapshot.copy() for _ in range(2)]
    before = [copy.state()["random"] for copy in copies]
    snapshot.renew(NEW)
    tool = Reply(text="", tool_calls=(ToolCall("tide", {"place": "Ostend"}),))
    snapshot.endpoint.script(
        MODEL_ID, *([tool] * 2 if snapshot.tools_are_used else []), Reply(text="High water at six.")
    )
    with ThreadPoolExecutor(len(copies)) as pool:
        said = list(pool.map(_talk, copies, range(len(copies)), before))
    return Talks(said, [*snapshot.endpoint.requests], [*snapshot.aws.tokens], [*snapshot.tools.headers])


@dataclass(frozen=True)
class Talks:
    """What copies said, and what the servers heard meanwhile.

    Attributes:
        said: What each said.
        requests: Requests to the model's endpoint.
        tokens: The role's credentials with which Secrets Manager was asked.
        tool_headers: Headers of the requests to the server of tools.
    """

    said: list[Talk]
    requests: list
    tokens: list
    tool_headers: list


@dataclass(frozen=True)
class Talk:
    """What one copy said.

    Attributes:
        random: State of Python's generator, before the first request and after the last.
        answers: Its answers; the first one to a caller who names no session.
        failure: Its answer to a bad request.
    """

    random: tuple[str, str]
    answers: list[dict]
    failure: dict


def _talk(copy, number, before):
    first = copy.ask("Question 0", None)
    answers = [first, *(copy.ask(f"Question {turn}", session(number)) for turn in (1, 2))]
    failure = copy.invoke({"prompt": ""}, session(number)).json()["error"]
    return Talk((before, copy.state()["random"]), answers, failure)


def session(number):
    return f"{number:040}"


def test_nothing_is_held_that_a_snapshot_must_not_hold(snapshot):
    assert_nothing_is_held(snapshot)


@pytest.mark.parametrize("kind", OTHERS)
def test_nothing_is_held_for_other_providers_protocols_and_traces_either(tmp_path, kind):
    with started(tmp_path, OTHERS[kind]) as snapshot:
        assert_nothing_is_held(snapshot)
        assert snapshot.memory_holds(*SECRETS.values(), *snapshot.start_tokens, PROMPT) == {PROMPT}


def assert_nothing_is_held(snapshot):
    held = snapshot.state()

    assert held["agents"] == 1
    assert held["clients"] == []
    assert held["default_session"] is False
    # No thread, so none that goes on after the restore with what it had in hand.
    assert held["threads"] == ["MainThread"]
    assert snapshot.native_threads() == 1
    # A generator of its own would draw the same numbers in each session; Python's is seeded by the first request.
    assert {*held["generators"]} <= HARMLESS_GENERATORS
    assert [(status, remote) for status, _, remote in snapshot.connections()] == [("LISTEN", ())]


def test_start_asks_for_the_bundle_and_for_nothing_that_identifies_the_host(snapshot):
    held = snapshot.state()

    assert held["node"] is None
    assert {event for event, _ in held["noted"]} == {"socket.getaddrinfo", "socket.connect"}
    # The role's credentials, and with them the bundle.
    place = f"(('127.0.0.1', {snapshot.aws.url.rpartition(':')[2]}),)"
    assert [where for event, where in held["noted"] if event == "socket.connect"] == [place] * 2
    assert len(snapshot.start_calls) == 1
    assert snapshot.start_calls[0].startswith("/bundles/")


def test_no_secret_is_in_memory_until_the_first_request(snapshot):
    snapshot.renew(SECRETS)
    (token,) = snapshot.start_tokens
    role = [token, token.replace("token", "secret")]
    copy = snapshot.copy()

    in_snapshot = snapshot.memory_holds(*SECRETS.values(), *role, PROMPT)
    in_copy = copy.memory_holds(*SECRETS.values(), *role, PROMPT)
    copy.ask("Hello", session(1))
    after = copy.memory_holds(SECRETS["MODEL_KEY"], SECRETS["TEAM"], PROMPT)
    clients = copy.state()["clients"]

    # The prompt is there to be found, as are the secrets once they have been used.
    assert in_snapshot == in_copy == {PROMPT}
    assert after == {SECRETS["MODEL_KEY"], SECRETS["TEAM"], PROMPT}
    assert "botocore.credentials.RefreshableCredentials" in clients


def test_ids_and_random_numbers_of_each_copy_are_its_own(snapshot, talks):
    one, other = talks.said

    # The copies did not notice that they are copies: without help each would draw what the other draws.
    assert one.random[0] == other.random[0] == snapshot.state()["random"]
    assert len({*one.random, *other.random}) == 3
    assert one.answers[0]["session_id"] != other.answers[0]["session_id"]
    assert one.failure["id"] != other.failure["id"]


def test_secrets_that_were_rotated_after_the_snapshot_are_used_fresh(snapshot, talks):
    assert len(talks.requests) == 2 * (3 + snapshot.tools_are_used)
    assert {request.key for request in talks.requests} == {NEW["MODEL_KEY"]}
    assert {request.header("x-team") for request in talks.requests} == {NEW["TEAM"]}
    assert bool(talks.tool_headers) is snapshot.tools_are_used
    assert {headers["x-api-key"] for headers in talks.tool_headers} <= {NEW["TOOLS_KEY"]}
    # Each copy took credentials of the role for itself; those of the start are not used again.
    assert len({*talks.tokens}) == 2
    assert not {*talks.tokens} & {*snapshot.start_tokens}


def test_copies_work_at_the_same_time_over_connections_of_their_own(snapshot, talks):
    answers = [answer["result"]["content"] for talk in talks.said for answer in talk.answers]

    assert answers == [[{"text": "High water at six."}]] * 6
    # The process that the snapshot was taken of has nothing to do with it.
    assert [status for status, *_ in snapshot.connections()] == ["LISTEN"]
    assert snapshot.native_threads() == 1


def test_time_that_passed_since_the_snapshot_harms_nothing(snapshot):
    snapshot.renew(NEW)
    # All of them for our own code, the likeliest one for what libraries add to it.
    clocks = CLOCKS if snapshot.kind == "light" else CLOCKS[:1]
    copies = [snapshot.copy(**ahead) for ahead in clocks]

    def talk(copy, number):
        return [copy.ask("Hello", session(number)), copy.ask("Hello again", session(number)), copy.ping()]

    with ThreadPoolExecutor(len(copies)) as pool:
        told = list(pool.map(talk, copies, range(len(copies))))

    for ahead, (first, second, ping) in zip(clocks, told, strict=True):
        assert first["stop_reason"] == second["stop_reason"] == "end_turn"
        # Minutes at most, on whatever machine; a week would be 600,000,000 ms.
        assert 0 < first["latency_ms"] < 600_000
        assert ping["status"] == "Healthy"
        # The status changed with the requests, by the clock of the restored session.
        assert abs(ping["time_of_last_update"] - (time.time() + ahead["wall"])) < 600
    # Read once in each, and not again although its clock may say that the first request was a week ago.
    assert snapshot.aws.calls.count(f"{PREFIX}MODEL_KEY") == len(copies)
