"""`strandline rotate`: a new value of a secret, verified before anybody sees it, and used everywhere at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agent_runtime.errors import InputError
from strandline.asking import confirm
from strandline.commands.rotation_options import (
    UnverifiedOption,
    ValueFromOption,
    YesOption,
    check_verifiable,
    open_rotations,
    value_reader,
)
from strandline.console import stderr
from strandline.durations import DurationOption, seconds_of
from strandline.local_cloud import default_home
from strandline.rotation import DATABASE_PASSWORD
from strandline.targets import (
    BLUEPRINTS,
    ENVIRONMENTS,
    BlueprintsOption,
    EnvironmentOption,
    EnvironmentsOption,
    open_target,
)

if TYPE_CHECKING:
    from stacks.project import Project
    from strandline.rotation.rotate import Rotation
    from strandline.rotation.steps import Runner
    from strandline.rotation.verifiers import Probe
    from strandline.targets import Target


def rotate(
    env: EnvironmentOption,
    names: Annotated[
        list[str] | None, typer.Argument(help="Names of variables; several where they work together only.")
    ] = None,
    value_from: ValueFromOption = None,
    every: Annotated[bool, typer.Option("--all", help="Rotate everything, one after another.")] = False,
    older_than: Annotated[str | None, DurationOption("Rotate what is older, such as 90d.")] = None,
    grace: Annotated[str | None, DurationOption("How long a minted key works on after its rotation.")] = None,
    rollback: Annotated[bool, typer.Option("--rollback", help="Back to the values before.")] = False,
    abandon: Annotated[bool, typer.Option("--abandon", help="Give up a rotation whose value nobody has yet.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be done.")] = False,
    unverified: UnverifiedOption = False,
    wait: Annotated[bool, typer.Option(help="Wait until every agent has read the new value.")] = True,
    yes: YesOption = False,
    blueprints: BlueprintsOption = BLUEPRINTS,
    environments: EnvironmentsOption = ENVIRONMENTS,
) -> None:
    """Give a secret a new value, live: verified, promoted, used everywhere. Goes on with one that was cut off."""
    from stacks.releases.project import project_in
    from strandline.rotation.steps import Runner

    if bool(names) + every + bool(older_than) != 1:
        raise InputError("Name variables, or say --all, or --older-than 90d.")
    target = open_target(env, environments)
    project = project_in(target.environment, blueprints, environments)
    runner = Runner(target, project, stderr, wait, None if grace is None else seconds_of(grace, "--grace"))
    if names == [DATABASE_PASSWORD]:
        _rotate_database(target, yes)
        return
    groups = [list(dict.fromkeys(names))] if names else _find_groups(target, project, older_than)
    rotations = open_rotations(target, project, groups)
    if abandon:
        for rotation in rotations:
            rotation.abandon()
        stderr.print("[green]abandoned:[/] what was staged is taken back")
        return
    if rollback:
        for rotation in rotations:
            _roll_back(runner, rotation, yes, env)
        return
    check_verifiable(rotations, unverified)
    if dry_run:
        for rotation in rotations:
            _tell_plan(rotation)
        return
    confirm(yes, f"Rotate {', '.join(name for rotation in rotations for name in rotation.uses)} in {env}?")
    typed = [name for rotation in rotations if not rotation.is_made_here for name in rotation.uses]
    read = value_reader(value_from, typed)
    for rotation in rotations:
        stderr.rule(", ".join(rotation.uses))
        runner.run(rotation, read)


def _rotate_database(target: Target, yes: bool) -> None:
    from strandline.rotation.audit import open_record
    from strandline.rotation.database_password import rotate_database_password

    name = target.environment.name
    confirm(yes, f"Have RDS rotate the password of the gateway's database in {name}?")
    record = open_record(default_home() / "audit", target)
    with stderr.status("") as status:
        secret = rotate_database_password(target, status.update)
    record("rotated by RDS", {DATABASE_PASSWORD: secret})
    stderr.print("[green]done:[/] the gateway's tasks have no password; a migration reads the new one")


def _find_groups(target: Target, project: Project, older_than: str | None) -> list[list[str]]:
    import datetime as dt

    from strandline.rotation.kinds import groups_of, made_here
    from strandline.secret_inventory import take_secrets

    users = {**project.secret_users(target.environment)}
    for variable, uses in made_here(project, target.environment).items():
        users[variable] = [use.by for use in uses]
    now = dt.datetime.now(dt.UTC)
    age = dt.timedelta(seconds=seconds_of(older_than, "--older-than") if older_than else 0)
    due = [one.variable for one in take_secrets(target, users) if one.users and one.set_at and now - one.set_at >= age]
    if not due:
        raise InputError(f"No secret of {target.environment.name} is older than {older_than}.")
    return groups_of(project, target.environment, due)


def _roll_back(runner: Runner, rotation: Rotation, yes: bool, env: str) -> None:
    confirm(yes, f"Make the values before the present ones of {', '.join(rotation.uses)} current again in {env}?")
    before = {variable: labels.current for variable, labels in rotation.look().labels.items()}
    rotation.roll_back()
    stderr.print("[green]rolled back:[/] the values before are AWSCURRENT again")
    runner.spread(rotation, before)
    stderr.print("[green]done[/]")


def _tell_plan(rotation: Rotation) -> None:
    for variable, uses in rotation.uses.items():
        told = sorted({f"{use.by} ({_what_verifies(rotation, use.probe)})" for use in uses})
        stderr.print(f"{variable}: {', '.join(told)}", markup=False, highlight=False, soft_wrap=True)
    tasks = "yes" if rotation.reaches_gateway else "no"
    stderr.print(f"next step: {rotation.look().step}; new tasks of the gateway: {tasks}")


def _what_verifies(rotation: Rotation, probe: Probe | None) -> str:
    if rotation.is_made_here:
        return "made by us"
    return probe.url if probe else "cannot be verified"
