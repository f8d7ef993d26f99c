"""A value that leaked: replaced without grace, and taken from the sessions that hold it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from strandline.rotation.consumers import find_uses, stop_sessions
from strandline.rotation.steps import Runner

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from stacks.project import Project
    from strandline.rotation.consumers import LoggedUse
    from strandline.rotation.rotate import Rotation
    from strandline.targets import Target

_LONGEST_SESSION = dt.timedelta(hours=8)  # "maxLifetime", Amazon Bedrock AgentCore


def revoke(
    target: Target,
    project: Project,
    rotation: Rotation,
    read_value: Callable[[str], str],
    *,
    seconds: int,
    console: Console,
) -> None:
    """Replaces a secret's value at once, ends the sessions that hold the old one, and tells who used it and when.

    Args:
        target: The environment.
        project: The user's files.
        rotation: The rotation of the secret.
        read_value: Gives the new value, where a person has it.
        seconds: How far back the agents' logs are searched.
        console: Where all of it is told.

    Raises:
        KeyRefused: The new value does not open what it is for; nothing has changed.
        InputError: The new value cannot be one.
        EnvironmentFault: AWS or a provider fails; the next run goes on.
    """
    now = dt.datetime.now(dt.UTC)
    where = rotation.look()
    # Of a rotation that was cut off after its promotion, the leaked value is the one before.
    leaked = [labels.previous if where.step == "spread" else labels.current for labels in where.labels.values()]
    # No waiting: a session that holds the old value is ended, and the next one reads the new.
    Runner(target, project, console, wait=False, grace_seconds=0).run(rotation, read_value)
    uses = [
        use
        for version in filter(None, leaked)
        for use in find_uses(target, project, rotation.agents, version, since=now - dt.timedelta(seconds=seconds))
    ]
    ended = stop_sessions(target, [use for use in uses if use.time >= now - _LONGEST_SESSION])
    console.print(f"[green]sessions:[/] {ended} that held the old value are ended")
    _tell(uses, rotation, console)


def _tell(uses: Sequence[LoggedUse], rotation: Rotation, console: Console) -> None:
    from rich.table import Table

    table = Table("agent", "invocations", "sessions", "first", "last", title="Who used the old value (UTC)")
    for agent in rotation.agents:
        own = [use for use in uses if use.agent == agent]
        times = [f"{use.time:%Y-%m-%d %H:%M:%S}" for use in own]
        table.add_row(
            agent, str(len(own)), str(len({use.session for use in own})), *(times[:1] + times[-1:] or ["-", "-"])
        )
    if rotation.agents:
        console.print(table)
    if rotation.reaches_gateway:
        console.print("The gateway used it for every request until its new tasks took over.")
    console.print("Whoever else used it is in the provider's own record of the key.")
