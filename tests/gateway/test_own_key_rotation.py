"""The gateway's own keys, rotated by schedule and by command at once, with a crash before or after any call.

Secrets Manager and ECS are in this process, with a clock of the test's (`tests/support/rolling_service.py`); the same
code rotates on the local cloud in `tests/e2e/test_rotation_under_load.py`.
"""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from agent_runtime.errors import EnvironmentFault, InputError
from agent_runtime.secret_store import CACHE_SECONDS
from stacks.custom_resources import gateway_tasks, own_key_rotation
from stacks.custom_resources.gateway_tasks import GatewayTasks, NewTasksFail
from stacks.custom_resources.own_key_rotation import CALLERS_SECONDS, OwnKeyRotation
from stacks.custom_resources.rotation_steps import RotationRefused
from stacks.custom_resources.secret_versions import Labels, LabelsMoved, SecretVersions
from strandline.gateway_service import GatewayService
from strandline.rotation import gateway_tasks as rotation_tasks
from strandline.rotation import own_keys
from strandline.rotation.own_keys import OwnKey
from strandline.rotation.uses import Use
from tests.support.crashes import Crash, CrashingClient, crashes
from tests.support.rolling_service import Clock, RollingService, Vault

NAME = "strandline/staging/LITELLM_MASTER_KEY"
FOLLOWING = f"{NAME}_NEXT"
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
# A version that was given up is not written a second time, with another key.
REFUSALS = (RotationRefused, NewTasksFail, LabelsMoved, EnvironmentFault, Vault.exceptions.ResourceExistsException)


class World:
    """A gateway with two keys, and whoever rotates them."""

    def __init__(self, *, is_followed=True):
        self.is_followed = is_followed
        names = [NAME, FOLLOWING] if is_followed else [NAME]
        self.clock = Clock()
        self.vault = Vault(self.clock, **dict(zip(names, ("canary-first", "canary-second"), strict=False)))
        self.clock.sleep(60)
        self.service = RollingService(self.clock, lambda: {self.value(name) for name in names})
        self.clients = CrashingClient(self.vault), CrashingClient(self.service)
        self.tokens = (f"rotation-{number}" for number in itertools.count())

    def value(self, name=NAME):
        return self.vault.get_secret_value(SecretId=name)["SecretString"]

    def labels(self):
        return SecretVersions(self.vault, NAME).labels()

    def begin(self):
        """What Secrets Manager does on its schedule, unless a rotation has not ended."""
        token = next(self.tokens)
        if self.labels().pending in (None, self.labels().current):
            self.vault.begin_rotation(NAME, token)
        return token

    def take(self, step, token, secrets=None):
        vault, ecs = self.clients
        tasks = GatewayTasks(ecs, "cluster", "service", self.clock.sleep)
        rotation = OwnKeyRotation(
            vault,
            tasks,
            secrets or {NAME: self.is_followed},
            self.clock.patience(),
            sleep=self.clock.sleep,
            now=lambda: self.clock.now,
        )
        rotation.take({"Step": step, "SecretId": NAME, "ClientRequestToken": token})

    def rotate(self):
        token = self.begin()
        for step in STEPS:
            self.take(step, token)
        return token

    def command(self):
        """The rotation as `strandline rotate` opens it."""
        vault, ecs = self.clients
        target = SimpleNamespace(
            client={"secretsmanager": vault, "ecs": ecs}.__getitem__,
            environment=SimpleNamespace(name="staging", gateway=SimpleNamespace(is_managed=self.is_followed)),
        )
        return OwnKey(target, {"LITELLM_MASTER_KEY": [Use("gateway", None, None)]}, lambda *_: None)


@pytest.fixture
def world(monkeypatch):
    return patient(World(), monkeypatch)


def patient(world, monkeypatch):
    """The command waits by the world's clock too, and finds its gateway."""
    monkeypatch.setattr(rotation_tasks, "find_gateway", lambda _: GatewayService("cluster", "service"))
    monkeypatch.setattr(own_keys, "patience", world.clock.patience)
    make = gateway_tasks.GatewayTasks.__init__
    monkeypatch.setattr(
        GatewayTasks, "__init__", lambda self, ecs, c, s, sleep=world.clock.sleep: make(self, ecs, c, s, sleep)
    )
    return world


def test_a_schedule_rotates_the_key_with_one_deployment_and_the_old_one_opens_nothing(world, capsys):
    token = world.rotate()

    assert world.value() == "canary-second"
    assert world.labels() == Labels(current=token, previous=f"first-of-{NAME}")
    assert world.service.started == 1
    assert [taken for _, taken in world.service.tasks] == [{"canary-second", world.value(FOLLOWING)}] * 2
    assert "canary" not in capsys.readouterr().out


def test_the_old_key_opens_until_every_caller_has_read_the_new_one(world):
    before = world.clock.now
    token = world.begin()
    for step in STEPS[:3]:
        world.take(step, token)
    seen = []
    world.clock.waits.append(
        lambda: seen.append(
            ((world.clock.now - before).total_seconds(), any("canary-first" in t for _, t in world.service.tasks))
        )
    )

    world.take(STEPS[3], token)

    assert all(opens for seconds, opens in seen if seconds < CACHE_SECONDS + 15)
    assert CALLERS_SECONDS >= CACHE_SECONDS + 15


def test_tasks_that_do_not_take_the_next_key_are_replaced_before_it_is_used(world):
    world.vault.put_secret_value(SecretId=FOLLOWING, SecretString="canary-third", ClientRequestToken="third")
    token = world.begin()
    world.take("createSecret", token)

    with pytest.raises(RotationRefused, match="some tasks do not take the staged key yet: nothing was changed"):
        world.take("testSecret", token)
    with pytest.raises(RotationRefused, match="some tasks do not take"):
        world.take("finishSecret", token)
    assert world.value() == "canary-first"

    world.take("setSecret", token)
    world.take("testSecret", token)
    assert all("canary-third" in taken for _, taken in world.service.tasks)


def test_new_tasks_that_do_not_serve_fail_the_step_and_the_next_try_goes_on(world):
    token = world.begin()
    for step in STEPS[:3]:
        world.take(step, token)
    world.service.fails = True

    with pytest.raises(NewTasksFail, match="circuit breaker: rolling back"):
        world.take("finishSecret", token)
    assert all(world.value() in taken for _, taken in world.service.tasks)

    for step in STEPS:
        world.take(step, token)
    assert world.labels().pending is None
    assert not any("canary-first" in taken for _, taken in world.service.tasks)


def test_the_command_goes_on_with_what_the_schedule_began_and_the_schedule_finds_it_done(world):
    token = world.begin()
    world.take("createSecret", token)

    command = world.command()
    assert command.look().step == "verify"
    command.verify()
    command.promote()
    command.retire(lambda _: None)
    command.finish()

    deployments = world.service.started
    for step in STEPS:
        world.take(step, token)
    assert world.service.started == deployments
    assert world.labels().current == token


def test_what_somebody_else_staged_is_not_taken_for_the_next_key(world):
    SecretVersions(world.vault, NAME).stage("canary-foreign", "foreign")

    with pytest.raises(RotationRefused, match="no task takes it: nothing was changed"):
        world.take("finishSecret", "foreign")
    with pytest.raises(EnvironmentFault, match="take it back with --abandon"):
        world.command().verify()
    assert world.value() == "canary-first"


def test_a_schedule_that_is_set_up_tries_a_version_without_a_value(world):
    world.take("testSecret", world.begin())

    assert world.value() == "canary-first"


@pytest.mark.parametrize("step", [*STEPS, "reboot"])
def test_no_other_secret_is_rotated_and_no_other_step_taken(world, step):
    with pytest.raises(RotationRefused, match="is no key of the gateway"):
        world.take(step, "token", secrets={"strandline/staging/LITELLM_SALT_KEY": True})
    with pytest.raises(RotationRefused, match="there is no step reboot"):
        world.take("reboot", "token")


def test_the_command_does_not_go_back_to_a_key_that_no_task_takes(world):
    world.rotate()

    with pytest.raises(InputError, match="no task of the gateway takes the key before any more: rotate it again"):
        world.command().roll_back()


def test_a_key_that_no_program_calls_with_is_swapped_and_its_tasks_replaced(monkeypatch):
    world = patient(World(is_followed=False), monkeypatch)

    world.rotate()
    by_schedule = world.value()
    assert [taken for _, taken in world.service.tasks] == [{by_schedule}] * 2

    command = world.command()
    command.stage(lambda _: "")
    command.verify()
    command.promote()
    world.service.fails = True
    with pytest.raises(EnvironmentFault, match="rolling back"):
        command.retire(lambda _: None)
    command.retire(lambda _: None)
    command.finish()
    assert [taken for _, taken in world.service.tasks] == [{world.value()}] * 2
    assert world.value() not in ("canary-first", by_schedule)


def test_the_function_rotates_what_its_variables_name(world, monkeypatch):
    clients = {"secretsmanager": world.vault, "ecs": world.service}
    monkeypatch.setattr("boto3.client", clients.__getitem__)
    for name, text in (("CLUSTER", "c"), ("SERVICE", "s"), ("FOLLOWED", NAME), ("SWAPPED", "")):
        monkeypatch.setenv(name, text)
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 900_000)
    token = world.begin()

    for step in STEPS[:3]:
        own_key_rotation.handler({"Step": step, "SecretId": NAME, "ClientRequestToken": token}, context)

    assert SecretVersions(world.vault, NAME).staged(token) == "canary-second"
    with pytest.raises(RotationRefused, match="is no key of the gateway"):
        own_key_rotation.handler({"Step": STEPS[0], "SecretId": FOLLOWING, "ClientRequestToken": token}, context)


class Rotating(RuleBasedStateMachine):
    """Steps of schedule and command in any order, repeated, cut off anywhere; tasks that come and go."""

    monkeypatch = None

    def __init__(self):
        super().__init__()
        self.world = patient(World(), self.monkeypatch)
        # Also while a step waits.
        self.world.clock.waits.append(self.every_task_takes_the_key_that_callers_read)
        self.begun = []

    def do(self, crash, step):
        for client in self.world.clients:
            client.arm(crash)
        try:
            step()
        except (Crash, *REFUSALS):
            pass
        finally:
            for client in self.world.clients:
                client.arm(None)

    @rule()
    def schedule(self):
        self.begun.append(self.world.begin())

    @rule(crash=crashes(12), step=st.sampled_from(STEPS), which=st.sampled_from([-1, -1, -1, -2]))
    def step(self, crash, step, which):
        if len(self.begun) >= -which:
            self.do(crash, lambda: self.world.take(step, self.begun[which]))

    @rule(crash=crashes(12), missing=st.sampled_from([None, *STEPS]))
    def rotate(self, crash, missing):
        self.begun.append(self.world.begin())
        for step in STEPS:
            if step != missing:
                self.do(crash, lambda step=step: self.world.take(step, self.begun[-1]))

    @rule(crash=crashes(12))
    def command(self, crash):
        def run():
            command = self.world.command()
            where = command.look().step
            if where == "stage":
                command.stage(lambda _: "")
            if where != "spread":
                command.verify()
                command.promote()
            command.retire(lambda _: None)
            command.finish()

        self.do(crash, run)

    @rule()
    def abandon(self):
        self.world.command().abandon()

    @precondition(lambda self: self.world.labels().pending in (None, self.world.labels().current))
    @rule()
    def next_key_is_made_anew(self):
        """By a rotation that was cut off before its deployment, or by hand."""
        token = next(self.world.tokens)
        self.world.vault.put_secret_value(SecretId=FOLLOWING, SecretString=f"by-{token}", ClientRequestToken=token)

    @rule()
    def scale_out(self):
        self.world.service.scale_out()

    @rule()
    def deployment_fails(self):
        self.world.service.fails = True

    @rule()
    def deploy(self):
        self.world.service.update_service(cluster="", service="", forceNewDeployment=True)

    @rule(seconds=st.sampled_from([1, 3, 60]))
    def wait(self, seconds):
        self.world.clock.sleep(seconds)

    @invariant()
    def every_task_takes_the_key_that_callers_read(self):
        assert all(self.world.value() in taken for _, taken in self.world.service.tasks)

    def teardown(self):
        """Whatever was left behind, the next rotations end, and what was current before opens nothing."""
        before = self.world.value()
        self.world.service.fails = False
        pending = self.world.labels().pending
        if pending:
            for step in STEPS:
                self.world.take(step, pending)
        self.world.rotate()
        assert self.world.labels().pending is None
        assert not any(before in taken for _, taken in self.world.service.tasks)


def test_no_task_ever_refuses_the_key_that_callers_read(monkeypatch):
    Rotating.monkeypatch = monkeypatch
    run_state_machine_as_test(
        Rotating, settings=settings(max_examples=300, stateful_step_count=30, deadline=None, derandomize=True)
    )
