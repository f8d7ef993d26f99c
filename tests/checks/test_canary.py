"""The life of a canary: begun by a deployment, watched, and ended once, whoever ends it and whatever is cut off."""

from __future__ import annotations

import itertools
import json
import threading
import uuid

import pytest
from botocore.exceptions import ClientError

from stacks.custom_resources.canary import Beginning, decide, watch
from stacks.custom_resources.canary_figures import FiguresUnknown, read_figures
from stacks.custom_resources.canary_records import ALL, BACK, Outcome
from stacks.custom_resources.canary_routes import endpoint_of, new_session_id
from stacks.custom_resources.events import Change, Made
from strandline.client import Agent
from tests.checks.canary_world import ARN, BEGAN, LIMITS, ROUTE, SECONDS, Logs, World, line, lines, route

SETTINGS = json.dumps({"share": 0.1, "seconds": SECONDS, "limits": LIMITS})
NOW = BEGAN + 60


def change(version, gate, *, kind="Update", known="r7", **more):
    asked = {
        "Agent": "tide",
        "RuntimeArn": ARN,
        "Version": version,
        "Gate": gate,
        "Previous": "7",
        "Settings": SETTINGS,
    }
    return Change(kind, "1", known, {**asked, **more})


def begin(world, *args, **more):
    return Beginning(world.canaries, world.control, lambda: BEGAN).make(change(*args, **more))


@pytest.fixture
def world():
    """Version 8 is a canary since `BEGAN`."""
    made = World()
    made.canaries.begin(route(), "deployment")
    return made


def running(world):
    return [one.version for one in world.canaries.found()[0]]


# --- where sessions go


def test_the_share_of_new_sessions_is_exact_and_the_id_says_where_each_goes():
    ids = [new_session_id(route(share=0.1), uuid.UUID(int=(n << 96) + 7)) for n in range(0, 2**32, 2**32 // 10_000)]

    on_canary = [one for one in ids if endpoint_of(one) == "canary"]
    assert len(on_canary) / len(ids) == pytest.approx(0.1, abs=1e-3)
    assert all(33 <= len(one) <= 256 for one in ids)
    assert {endpoint_of(one) for one in ids} == {"canary", "live"}


@pytest.mark.parametrize(
    "own",
    ["a-callers-own-id-0123456789-0123456789", "strandline-canary-" + "x" * 30, "x-strandline-v8-canary-" + "x" * 20],
)
def test_ids_that_callers_make_up_go_to_live(own):
    assert endpoint_of(own) == "live"
    assert endpoint_of(new_session_id()) == "live"


class Agents:
    """`bedrock-agentcore`, which tells where it was asked; `gone` names endpoints that are no more."""

    def __init__(self, *gone):
        self.asked, self.gone = [], gone

    def invoke_agent_runtime(self, *, qualifier, runtimeSessionId, **_):
        self.asked.append(qualifier)
        if qualifier in self.gone:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "gone"}}, "InvokeAgentRuntime")
        body = b'data: {"type": "done", "result": {}}\n'
        stream = type("Stream", (), {"iter_chunks": lambda self, size: (body[n : n + 1] for n in range(len(body)))})()
        return {"contentType": "text/event-stream", "response": stream}


def client(world, agents, clock=lambda: 0.0):
    return Agent(
        "tide",
        environment="production",
        runtime_arn=ARN,
        protocol="HTTP",
        agents=agents,
        parameters=world.parameters,
        clock=clock,
    )


def test_a_session_stays_with_its_version_in_every_process_also_after_the_canary(world):
    agents = Agents()
    first = client(world, agents)
    ids = {endpoint_of(one): one for one in (first.new_session() for _ in range(400))}
    assert set(ids) == {"canary", "live"}
    world.canaries.end(route(), Outcome(BACK, "it failed", "watcher"))

    for _ in range(2):
        for side, session in ids.items():
            client(world, agents).ask("Hello", session_id=session)
            assert agents.asked[-1] == side
    assert endpoint_of(client(world, agents).new_session()) == "live"


def test_a_route_is_read_once_in_a_while_and_one_that_cannot_be_read_means_live(world):
    now = [0.0]
    asked = client(world, Agents(), lambda: now[0])
    before = world.parameters.reads
    for _ in range(50):
        asked.new_session()
    assert world.parameters.reads == before + 1
    now[0] = 20.0
    world.parameters.fails = ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetParameter")
    assert {endpoint_of(asked.new_session()) for _ in range(200)} == {"live"}
    assert world.parameters.reads == before + 2


def test_a_session_of_a_canary_goes_to_live_where_the_environment_has_none_any_more(world):
    agents = Agents("canary")
    client(world, agents).ask("Hello", session_id=f"strandline-v8-canary-{uuid.uuid4()}")

    assert agents.asked == ["canary", "live"]


# --- how it begins


def test_the_first_version_and_one_that_is_live_already_are_no_canaries():
    for versions in ({"candidate": "1"}, {"live": "8", "previous": "7"}):
        world = World(**versions)
        assert begin(world, "8", "r8") == Made("r8", {"Live": "8", "Previous": "7"})
        assert running(world) == []


def test_a_new_version_is_a_canary_and_live_and_previous_stay_where_they_are():
    world = World()

    assert begin(world, "8", "r8") == Made("r8", {"Live": "7", "Previous": "6"})

    (found,), _ = world.canaries.found()
    assert found == route()
    assert (world.record("8")["outcome"], world.record("8")["by"]) == ("running", "deployment")
    assert world.record("8")["reason"] == "is running: 10% of new sessions go to version 8"
    assert world.control.moves == []


def test_a_newer_version_replaces_it_and_the_record_says_so(world):
    world.control.versions |= {"candidate": "9", "canary": "9"}

    assert begin(world, "9", "r9", known="r8").attributes == {"Live": "7", "Previous": "6"}

    assert running(world) == ["9"]
    assert world.record("8")["reason"] == "was replaced: version 9 was deployed"
    assert world.control.moves == []


def test_a_rollback_of_the_stack_leaves_the_canary_as_it_is(world):
    """A deployment of 9 failed; CloudFormation makes version 10 of what 8 was, with the gate of 8."""
    assert begin(world, "10", "r8", known="r8").attributes == {"Live": "7", "Previous": "6"}

    assert running(world) == ["8"]


def test_what_went_back_does_not_begin_again_without_a_new_release(world):
    world.canaries.end(route(), Outcome(BACK, "it failed", "watcher"))

    assert begin(world, "8", "r8", known="r8").attributes["Live"] == "7"
    assert running(world) == []


def test_a_release_that_goes_takes_its_own_route_along_and_no_other(world):
    begin(world, "", "", kind="Delete", known="r7")
    assert running(world) == ["8"]
    begin(world, "", "", kind="Delete", known="r8")
    assert running(world) == []


def test_an_ending_that_was_cut_off_is_carried_out_before_a_deployment_reads_what_is_live(world):
    world.control.breaks = {"live"}
    with pytest.raises(ConnectionError):
        world.canaries.end(route(), Outcome(ALL, "good", "watcher"))
    world.control.breaks = set()
    world.control.versions["canary"] = "9"

    assert begin(world, "9", "r9", known="r8").attributes == {"Live": "8", "Previous": "7"}

    (found,), _ = world.canaries.found()
    assert (found.version, found.live) == ("9", "8")


# --- how it ends


def test_all_moves_previous_first_then_live_and_removes_the_route(world):
    assert world.canaries.end(route(), Outcome(ALL, "good", "watcher", {"canary": {}}))

    assert world.control.moves == [("previous", "7"), ("live", "8")]
    assert world.parameters.values == {}
    assert world.record("8")["reason"] == "went to all: good"
    assert world.metrics[0]["WentToAll"] == 1


def test_back_leaves_live_alone_and_takes_the_canarys_endpoint_to_what_everybody_gets(world):
    assert world.canaries.end(route(), Outcome(BACK, "failures: 5 of 5", "watcher"))

    assert world.control.moves == [("canary", "7")]
    assert world.control.versions == {"live": "7", "previous": "6", "canary": "7", "candidate": "8"}
    assert world.record("8")["reason"] == "went back: failures: 5 of 5"
    assert (world.metrics[0]["WentBack"], world.metrics[0]["agent"]) == (1, "tide")


@pytest.mark.parametrize("outcome", [ALL, BACK])
@pytest.mark.parametrize("place", ["live", "previous", "canary"])
def test_an_end_that_was_cut_off_is_taken_up_by_the_next_look(world, outcome, place):
    world.control.breaks = {place}
    try:
        world.canaries.end(route(), Outcome(outcome, "decided", "watcher"))
    except ConnectionError:
        assert world.canaries.found() == ([], ["tide"])
        with pytest.raises(ConnectionError):
            watch(world.canaries, Logs(), NOW)
    world.control.breaks = set()

    watch(world.canaries, Logs(), NOW)

    moved = {"live": "8", "previous": "7", "canary": "8"} if outcome == ALL else {"live": "7", "canary": "7"}
    assert world.control.versions.items() >= moved.items()
    assert world.parameters.values == {}
    assert world.record("8")["outcome"] == outcome


def test_of_two_who_end_it_at_once_one_does():
    for _ in range(20):
        world = World()
        world.canaries.begin(route(), "deployment")
        together = threading.Barrier(2)
        ended = []

        def end(outcome, world=world, together=together, ended=ended):
            together.wait()
            ended.append((world.canaries.end(route(), Outcome(outcome, "decided", outcome)), outcome))

        threads = [threading.Thread(target=end, args=(one,)) for one in (ALL, BACK)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ((_, winner),) = [one for one in ended if one[0]]
        assert world.record("8")["outcome"] == winner
        assert world.control.versions["live"] == ("8" if winner == ALL else "7")
        assert world.parameters.values == {}


def test_what_was_replaced_cannot_be_ended(world):
    world.canaries.begin(route("9", began=BEGAN + 5, release="r9"), "deployment")

    assert not world.canaries.end(route(), Outcome(ALL, "good", "watcher"))
    assert (running(world), world.control.moves) == (["9"], [])


# --- what the watcher does


def test_it_reads_the_sessions_of_this_canary_from_the_logs_of_both_endpoints(world):
    logs = Logs([*lines(3, 2), line("canary", 0, Failures=1, Fallbacks=1, Latency=300.0), "not JSON"])

    figures = read_figures(logs, route(), NOW)

    (query,) = logs.queries
    group = "/aws/bedrock-agentcore/runtimes/production_tide-abc"
    assert query["logGroupNames"] == [f"{group}-canary", f"{group}-live"]
    assert (query["startTime"], query["endTime"]) == (BEGAN, NOW + 1)
    assert '/"session":"strandline-v8-(canary|live)-/' in query["queryString"]
    assert figures.as_dict() == {
        "canary": {
            "sessions": 3,
            "invocations": 4,
            "sessions_with_failures": 1,
            "sessions_with_fallbacks": 1,
            "p95_ms": 200.0,
            "cost_usd": 0.001,
        },
        "live": {
            "sessions": 2,
            "invocations": 2,
            "sessions_with_failures": 0,
            "sessions_with_fallbacks": 0,
            "p95_ms": 100.0,
            "cost_usd": 0.001,
        },
    }


def test_a_log_that_does_not_answer_is_an_error_and_decides_nothing(world):
    logs = Logs()
    logs.status = "Timeout"

    with pytest.raises(FiguresUnknown):
        watch(world.canaries, logs, BEGAN + SECONDS)
    assert running(world) == ["8"]


def test_a_breach_ends_it_at_once_with_the_figures_in_the_record(world, capsys):
    watch(world.canaries, Logs(lines(20, 180, Failures=1)), NOW)

    assert running(world) == []
    assert world.record("8")["reason"].startswith("went back: failures: 20 of 20 sessions of the canary, 0 of 180")
    assert world.record("8")["figures"]["canary"]["sessions_with_failures"] == 20
    assert json.loads(capsys.readouterr().out.splitlines()[0])["decision"] == "back"


@pytest.mark.parametrize(
    ("after", "sessions", "outcome"),
    [
        (SECONDS - 1, 100, None),
        (SECONDS, 100, "all"),
        (SECONDS, 19, None),
        (SECONDS, 20, "all"),
        (2 * SECONDS - 1, 19, None),
        (2 * SECONDS, 19, "back"),
    ],
)
def test_without_a_breach_it_goes_to_all_when_its_time_is_over_and_enough_sessions_were_good(after, sessions, outcome):
    figures = read_figures(Logs(lines(sessions, 9 * sessions)), route(), BEGAN + after)
    decided = decide(route(), figures, BEGAN + after)

    assert (decided and decided.outcome) == outcome
    if outcome == "back":
        assert decided.reason == "too few sessions: 19 in twice its time, and min_sessions is 20"


def test_one_agent_that_cannot_be_looked_at_keeps_no_other_from_it(world):
    world.parameters.values[ROUTE.replace("tide", "sand")] = route(agent="sand").encode()

    asked = itertools.count()

    class Some(Logs):
        def start_query(self, *, logGroupNames, **query):
            if next(asked) == 0:
                raise ConnectionError
            return super().start_query(logGroupNames=logGroupNames, **query)

    with pytest.raises(ConnectionError):
        watch(world.canaries, Some(lines(20, 180)), BEGAN + SECONDS)
    assert len(running(world)) == 1
