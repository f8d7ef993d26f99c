"""The gateway's tasks, replaced for a value that a person has rotated: by a service that follows ECS's rules."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import pytest

from stacks.custom_resources.gateway_tasks import GatewayTasks
from strandline.rotation import gateway_tasks
from strandline.rotation.gateway_tasks import NewTasksFail, roll_gateway
from tests.support.rolling_service import Clock, RollingService


class World:
    """A gateway whose tasks keep the value that they began with."""

    def __init__(self):
        self.clock = Clock()
        self.value = "old"
        self.service = RollingService(self.clock, lambda: self.value)
        self.clock.sleep(60)
        self.changed = self.clock.now

    def rotate(self):
        self.value, self.changed = "new", self.clock.now

    def roll(self):
        roll_gateway(SimpleNamespace(), self.changed, lambda _: None)

    @property
    def values(self):
        return {value for _, value in self.service.tasks}


@pytest.fixture
def world(monkeypatch):
    world = World()
    tasks = GatewayTasks(world.service, "cluster", "service", world.clock.sleep)
    monkeypatch.setattr(gateway_tasks, "open_tasks", lambda _: tasks)
    monkeypatch.setattr(gateway_tasks, "patience", world.clock.patience)
    return world


def test_one_deployment_gives_every_task_the_new_value(world):
    world.rotate()

    world.roll()

    assert (world.values, world.service.started) == ({"new"}, 1)


def test_old_tasks_that_still_answer_what_they_have_taken_are_waited_for(world):
    world.rotate()
    world.service.drains = 5

    world.roll()

    assert (world.values, world.service.started) == ({"new"}, 1)
    assert not world.service.is_draining


def test_tasks_that_have_it_already_are_left_alone_when_a_rotation_goes_on(world):
    world.rotate()
    world.roll()

    world.roll()

    assert world.service.started == 1


def test_another_deployment_that_takes_its_place_gives_the_value_as_well(world):
    world.rotate()
    meanwhile = iter([lambda: world.service.update_service(cluster="", service="", forceNewDeployment=True)])

    def take_its_place():
        if world.service.started == 1 and (begin := next(meanwhile, None)):
            begin()

    world.clock.waits.append(take_its_place)

    world.roll()

    assert (world.values, world.service.started) == ({"new"}, 2)


def test_a_deployment_that_began_before_the_value_was_there_is_not_waited_for(world):
    world.service.update_service(cluster="", service="", forceNewDeployment=True)
    world.clock.sleep(3)
    world.rotate()

    world.roll()

    assert (world.values, world.service.started) == ({"new"}, 2)


def test_tasks_that_do_not_serve_are_told_with_ecs_reason_and_the_old_ones_go_on(world):
    world.rotate()
    world.service.fails = True

    with pytest.raises(NewTasksFail, match=r"does not reach the gateway, because .* circuit breaker"):
        world.roll()

    assert world.values == {"old"}


def test_a_deployment_that_was_given_up_stands_in_nobodys_way(world):
    world.rotate()
    world.service.fails = True
    with pytest.raises(NewTasksFail):
        world.roll()
    # What else the first attempt changed was its own failed deployment, of which ECS still tells.
    world.changed = dt.datetime.min.replace(tzinfo=dt.UTC)

    world.roll()

    assert world.service.started == 1


def test_it_does_not_wait_for_ever(world):
    world.rotate()
    world.clock.waits.clear()
    begun = world.clock.now

    with pytest.raises(NewTasksFail, match="do not serve yet"):
        world.roll()

    assert world.clock.now - begun < dt.timedelta(minutes=20)
