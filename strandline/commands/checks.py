"""`strandline checks`: the checks of a blueprint, without a deployment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strandline.console import stderr, stdout
from strandline.targets import (
    BLUEPRINTS,
    ENVIRONMENTS,
    AgentArgument,
    BlueprintsOption,
    EnvironmentOption,
    EnvironmentsOption,
    JsonOption,
    open_target,
)

if TYPE_CHECKING:
    from rich.table import Table

    from stacks.custom_resources.check_run import Report

app = typer.Typer(no_args_is_help=True, help="What a new version must pass before users reach it.")


@app.callback()
def checks() -> None:
    """What a new version must pass before users reach it."""


@app.command("run")
def run(
    agent: AgentArgument,
    env: EnvironmentOption,
    endpoint: Annotated[
        str, typer.Option(help="Endpoint that is asked: live, candidate (the newest version) or previous.")
    ] = "live",
    junit: Annotated[Path | None, typer.Option(help="File for a report that CI systems show.")] = None,
    as_json: JsonOption = False,
    environments: EnvironmentsOption = ENVIRONMENTS,
    blueprints: BlueprintsOption = BLUEPRINTS,
) -> None:
    """Run the checks of an agent's blueprint against what is deployed; ends with 1 when one fails."""
    from strandline.checks.alone import find_agent, run_checks
    from strandline.checks.junit import render_junit

    target = open_target(env, environments)
    loaded = find_agent(target, agent, blueprints, environments)
    with stderr.status(f"Asking {agent} in {env}"):
        report = run_checks(target, loaded, endpoint)
    if junit:
        _write(junit, render_junit(report, agent=agent, environment=env))
    if as_json:
        stdout.print_json(json.dumps({"agent": agent, "environment": env, "endpoint": endpoint, **report.as_dict()}))
    else:
        stdout.print(_table(report))
        stderr.print(report.summary(), markup=False, highlight=False)
    if not report.passed:
        raise typer.Exit(1)


def _write(file: Path, text: str) -> None:
    from agent_runtime.errors import InputError

    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{file} cannot be written ({error.strerror}): name another file with --junit.") from None


def _table(report: Report) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("check", "result", "runs", "slowest", "cost", "why"):
        table.add_column(heading, overflow="fold")
    for case in report.cases:
        table.add_row(
            case.name,
            "[green]passed[/]" if case.passed else "[red]failed[/]",
            f"{case.passes} of {case.runs}",
            "" if case.latency_ms is None else f"{case.latency_ms:.0f} ms",
            "" if case.cost_usd is None else f"{case.cost_usd:.6f} USD",
            escape("\n".join(case.reasons)),
        )
    return table
