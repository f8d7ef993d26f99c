"""`strandline gateway`: what the environment's gateway serves, to whom, at what cost; its configuration, its image."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from agent_runtime.errors import InputError
from strandline.console import stderr, stdout
from strandline.targets import (
    BLUEPRINTS,
    ENVIRONMENTS,
    BlueprintsOption,
    EnvironmentOption,
    EnvironmentsOption,
    GatewayUrlOption,
    JsonOption,
    Target,
    find_environment,
    open_target,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from strandline.gateway_reports import Deployment, Health, Spend, VirtualKey

app = typer.Typer(no_args_is_help=True, help="The environment's gateway: models, keys, spend, health, configuration.")

_LONGEST_DAYS = 366


@app.command()
def models(
    env: EnvironmentOption,
    url: GatewayUrlOption = None,
    as_json: JsonOption = False,
    environments: EnvironmentsOption = ENVIRONMENTS,
) -> None:
    """List the models that the gateway serves, with their prices and limits."""
    from strandline.gateway_client import open_gateway
    from strandline.gateway_reports import list_models

    client = open_gateway(open_target(env, environments), url)
    with stderr.status(f"Asking the gateway of {env}"):
        found = list_models(client)
    if as_json:
        _print_json({"models": [asdict(deployment) for deployment in found]})
    else:
        _print_table(
            ("name", "model", "USD/M in", "USD/M out", "context", "rpm", "tpm"), map(_model_row, found), numbers_from=2
        )


@app.command()
def keys(
    env: EnvironmentOption,
    url: GatewayUrlOption = None,
    as_json: JsonOption = False,
    environments: EnvironmentsOption = ENVIRONMENTS,
) -> None:
    """List the virtual keys of a managed gateway, with budgets and limits; never a key's value."""
    from strandline.gateway_client import open_gateway
    from strandline.gateway_reports import list_keys

    client = open_gateway(_managed(open_target(env, environments), "virtual keys"), url)
    with stderr.status(f"Asking the gateway of {env}"):
        found = list_keys(client)
    if as_json:
        _print_json({"keys": [asdict(key) for key in found]})
    else:
        _print_table(("key", "team", "models", "spent", "of", "resets", "rpm", "tpm", "state"), map(_key_row, found))


@app.command()
def spend(
    env: EnvironmentOption,
    by: Annotated[Literal["key", "model", "provider", "day"], typer.Option(help="What to sum by.")] = "key",
    days: Annotated[int, typer.Option(min=1, max=_LONGEST_DAYS, help="How many days back, today included.")] = 30,
    url: GatewayUrlOption = None,
    as_json: JsonOption = False,
    environments: EnvironmentsOption = ENVIRONMENTS,
) -> None:
    """Sum what was spent through a managed gateway; the last minute may be missing."""
    import datetime as dt

    from strandline.gateway_client import open_gateway
    from strandline.gateway_reports import sum_spend

    client = open_gateway(_managed(open_target(env, environments), "record of what was spent"), url)
    last = dt.datetime.now(dt.UTC).date()
    first = last - dt.timedelta(days=days - 1)
    with stderr.status(f"Asking the gateway of {env}"):
        found = sum_spend(client, first, last, by)
    total = sum(row.usd for row in found)
    if as_json:
        told = {"from": first.isoformat(), "to": last.isoformat(), "by": by, "total_usd": total}
        _print_json({**told, "rows": [asdict(row) for row in found]})
        return
    _print_table((by, "USD", "requests", "failed", "tokens in", "tokens out"), map(_spend_row, found), numbers_from=1)
    stderr.print(f"[dim]{total:.4f} USD from {first} to {last}, UTC[/]", highlight=False)


@app.command()
def health(
    env: EnvironmentOption,
    ask_models: Annotated[
        bool, typer.Option("--models", help="Let the gateway ask each of its models too; providers charge for it.")
    ] = False,
    url: GatewayUrlOption = None,
    as_json: JsonOption = False,
    environments: EnvironmentsOption = ENVIRONMENTS,
) -> None:
    """Tell how the gateway is: tasks, readiness, database, version; exit code 2 when something is wrong."""
    from strandline.gateway_client import open_gateway
    from strandline.gateway_reports import check_health
    from strandline.inventory import read_gateway

    target = open_target(env, environments)
    client = open_gateway(target, url)
    with stderr.status(f"Asking the gateway of {env}"):
        tasks = read_gateway(target) or {}
        found = check_health(client, models=ask_models)
    is_good = found.is_good and tasks.get("runningCount") == tasks.get("desiredCount")
    if as_json:
        counts = {"running": tasks.get("runningCount"), "desired": tasks.get("desiredCount")}
        _print_json({"healthy": is_good, "url": client.url, "tasks": counts, **found.as_dict()})
    else:
        _print_table(("", ""), _health_rows(client.url, tasks, found), headed=False)
    if not is_good:
        raise typer.Exit(2)


@app.command()
def config(
    env: EnvironmentOption,
    deployed: Annotated[
        bool, typer.Option("--deployed", help="What the tasks run with, not what the files say.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="What a deployment would change; exit code 1 when that is something.")
    ] = False,
    as_json: JsonOption = False,
    environments: EnvironmentsOption = ENVIRONMENTS,
    blueprints: BlueprintsOption = BLUEPRINTS,
) -> None:
    """Print LiteLLM's configuration: what the files compile to, what is deployed, or the difference."""
    import yaml

    from strandline.gateway_config import compiled_config, deployed_config

    if diff:
        running = deployed_config(open_target(env, environments))
        lines = _difference(running, compiled_config(find_environment(env, environments), blueprints, environments))
        if as_json:
            _print_json({"differs": bool(lines), "diff": lines})
        for line in () if as_json else lines:
            typer.echo(line)
        if lines:
            raise typer.Exit(1)
        return
    text = (
        deployed_config(open_target(env, environments))
        if deployed
        else compiled_config(find_environment(env, environments), blueprints, environments)
    )
    if as_json:
        _print_json({"deployed": deployed, "config": yaml.safe_load(text)})
    else:
        typer.echo(text, nl=False)


def _difference(running: str, compiled: str) -> list[str]:
    from difflib import unified_diff

    return list(unified_diff(running.splitlines(), compiled.splitlines(), "deployed", "files", lineterm=""))


def _managed(target: Target, what: str) -> Target:
    name = target.environment.name
    if not target.environment.gateway.is_managed:
        raise InputError(
            f"The gateway of {name} is stateless: it has no database, and so no {what}. What a call cost stands in the "
            f"answer. To have both, write gateway: {{profile: managed}} for {name} in environments.yaml and deploy."
        )
    return target


def _print_json(told: dict[str, Any]) -> None:
    stdout.print_json(json.dumps(told))


def _print_table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, numbers_from: int | None = None, headed: bool = True
) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=headed)
    for position, heading in enumerate(headings):
        is_number = numbers_from is not None and position >= numbers_from
        table.add_column(heading, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    stdout.print(table)


def _text(value: float | str | None, suffix: str = "") -> str:
    if value is None or value == "":
        return "-"
    return (f"{value:,.10g}" if isinstance(value, int | float) else value) + suffix


def _model_row(deployment: Deployment) -> Sequence[str]:
    prices = (_text(deployment.input_usd), _text(deployment.output_usd))
    limits = (_text(deployment.context_tokens), _text(deployment.rpm), _text(deployment.tpm))
    return (deployment.name, deployment.model, *prices, *limits)


def _key_row(key: VirtualKey) -> Sequence[str]:
    budget = _text(key.budget_usd) + (f" per {key.period}" if key.period else "")
    state = "blocked" if key.blocked else f"until {key.expires}" if key.expires else "active"
    named = (_text(key.alias), _text(key.team), ", ".join(key.models) or "all")
    spent = (f"{key.spend_usd:.4f}", budget, _text(key.resets_at))
    return (*named, *spent, _text(key.rpm), _text(key.tpm), state)


def _spend_row(row: Spend) -> Sequence[str]:
    counts = (row.requests, row.failed, row.input_tokens, row.output_tokens)
    return (row.name, f"{row.usd:.6f}", *(f"{count:,}" for count in counts))


def _health_rows(url: str, tasks: dict[str, Any], found: Health) -> list[Sequence[str]]:
    database = {None: "none", True: "answers", False: "does not answer"}[found.database]
    rows: list[Sequence[str]] = [
        ("gateway", f"{found.status} at {url}"),
        ("tasks", f"{_text(tasks.get('runningCount'))} of {_text(tasks.get('desiredCount'))} run"),
        ("database", database),
        ("cache", found.cache or "none"),
        ("LiteLLM", _text(found.version)),
        ("in flight", _text(found.in_flight)),
    ]
    for model in found.models or ():
        told = "answers" if model["healthy"] else f"fails with status {_text(model['status'])}"
        rows.append(("model", f"{model['model']} {told}"))
    return rows


@app.command("pin-image")
def pin_image(
    image: Annotated[
        str | None,
        typer.Option(help="Another image than the lock's, as ghcr.io/owner/name:v1.2.3; a release, not a moving tag."),
    ] = None,
    profile: Annotated[Literal["managed", "stateless"], typer.Option(help="Whose image.")] = "managed",
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 1 when the tag means another image by now.")
    ] = False,
    lock: Annotated[Path | None, typer.Option(help="The lock file; default: gateway/image.lock.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Look up which image a release's tag means, see that it is built for arm64, and pin it by its digest."""
    from gateway.image import IMAGE_LOCK
    from strandline.image_pin import find_pin

    pin = find_pin(lock or IMAGE_LOCK, profile, image)
    if check and pin.moved:
        raise InputError(
            f"{pin.image.repository}:{pin.image.tag} is {pin.image.digest} by now, and {pin.before} is pinned."
        )
    if not check:
        pin.write()
    if as_json:
        _print_json({"profile": profile, **pin.image.model_dump(), "before": pin.before, "changed": pin.moved})
    else:
        done = "is" if check or not pin.moved else "pinned:"
        stderr.print(
            f"{pin.image.repository}:{pin.image.tag} {done} {pin.image.digest}", highlight=False, soft_wrap=True
        )
