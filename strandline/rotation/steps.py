"""A rotation from where it is to its end, each step told to a person as it is done."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_runtime.errors import EnvironmentFault
from agent_runtime.secret_store import CACHE_SECONDS
from strandline.rotation.consumers import find_uses
from strandline.rotation.gateway_tasks import NewTasksFail, roll_gateway

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console
    from rich.status import Status

    from stacks.project import Project
    from strandline.rotation.rotate import Rotation
    from strandline.targets import Target

_MARGIN_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs rotations of one environment.

    Attributes:
        target: The environment.
        project: The user's files.
        console: Where each step is told.
        wait: Whether to wait until every agent has read a new value.
        grace_seconds: How long the values before work on, where that is ours to say.
        cache_seconds: How long an agent keeps a value; a drill shortens it.
        margin_seconds: What it takes to read a value, on top of that.
    """

    target: Target
    project: Project
    console: Console
    wait: bool = True
    grace_seconds: int | None = None
    cache_seconds: float = CACHE_SECONDS
    margin_seconds: int = _MARGIN_SECONDS

    def run(self, rotation: Rotation, read_value: Callable[[str], str]) -> None:
        """Runs a rotation to its end, from wherever it is.

        Args:
            rotation: The rotation.
            read_value: Gives the new value of a variable, where a person has it.

        Raises:
            KeyRefused: The new value does not open what it is for; nothing has changed.
            InputError: A value cannot be one.
            EnvironmentFault: AWS or a provider fails; the next run goes on.
        """
        where = rotation.look()
        before = {variable: labels.previous for variable, labels in where.labels.items()}
        if where.step == "stage":
            with self.console.status("") as status:
                rotation.stage(self._asked_outside(read_value, status), status.update)
            self.console.print("[green]staged:[/] as AWSPENDING; nobody reads it yet")
        else:
            self.console.print(f"going on with a rotation that was cut off before: {where.step}")
        if where.step != "spread":
            before = {variable: labels.current for variable, labels in where.labels.items()}
            rotation.verify()
            self.console.print("[green]verified:[/] the new value opens what it is for")
            rotation.promote(self.grace_seconds)
            self.console.print("[green]promoted:[/] it is AWSCURRENT, the old one AWSPREVIOUS")
        try:
            self.spread(rotation, before)
        except NewTasksFail:
            # Any other fault leaves it to the next run, which goes on: the value itself was found to be good.
            if rotation.can_roll_back:
                rotation.roll_back()
                self.console.print("rolled back: the old value is current again", style="red")
            raise
        with self.console.status("") as status:
            rotation.retire(status.update)
        rotation.finish()
        self.console.print("[green]done[/]")
        for line in rotation.reminders():
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def spread(self, rotation: Rotation, before: dict[str, str | None]) -> None:
        """Sees that the gateway and the agents use the current values.

        Args:
            rotation: The rotation.
            before: The version before of each variable.

        Raises:
            NewTasksFail: New tasks of the gateway do not serve.
            EnvironmentFault: An agent still uses a version before.
        """
        if rotation.reaches_gateway:
            with self.console.status("New tasks of the gateway") as status:
                roll_gateway(self.target, rotation.changed_at(), status.update)
            self.console.print("[green]gateway:[/] all of its tasks have the new value")
        if rotation.agents and self.wait:
            self._await_agents(rotation, before)

    def _await_agents(self, rotation: Rotation, before: dict[str, str | None]) -> None:
        agents = ", ".join(rotation.agents)
        # A grace that is ours to keep is kept here, where the value before goes when this ends.
        seconds = max(int(self.cache_seconds) + self.margin_seconds, self.grace_seconds or 0)
        due = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds - self.margin_seconds)
        with self.console.status("") as status:
            for left in range(seconds, 0, -1):
                status.update(f"Agents read it within {left} s: {agents}")
                time.sleep(1)
        for version in filter(None, before.values()):
            late = find_uses(self.target, self.project, rotation.agents, version, since=due)
            if late:
                raise EnvironmentFault(
                    f"{', '.join(sorted({use.agent for use in late}))} still answers with the version before, "
                    f"{version}: can its role read the secret? Run the command again."
                )
        self.console.print(f"[green]agents:[/] none of {agents} answers with the old value")

    def _asked_outside(self, read_value: Callable[[str], str], status: Status) -> Callable[[str], str]:
        """A prompt and a progress display do not share a line."""

        def ask(name: str) -> str:
            status.stop()
            return read_value(name)

        return ask
