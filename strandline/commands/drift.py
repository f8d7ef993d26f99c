"""`strandline drift`: what is not as its deployment left it."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer

from strandline.commands.deploy import Deployment
from strandline.console import stderr, stdout
from strandline.targets import (
    BLUEPRINTS,
    ENVIRONMENTS,
    BlueprintsOption,
    EnvironmentOption,
    EnvironmentsOption,
    JsonOption,
    open_target,
)


def drift(
    env: EnvironmentOption,
    as_json: JsonOption = False,
    environments: EnvironmentsOption = ENVIRONMENTS,
    blueprints: BlueprintsOption = BLUEPRINTS,
) -> None:
    """Compare an environment with its templates, and these with what is here; ends with 1 where something differs."""
    from strandline.drift import find_drift

    target = open_target(env, environments)
    deployment = Deployment(target, environments=environments, blueprints=blueprints)
    deployment.synthesise()
    with stderr.status(f"Asking AWS about {env}"):
        found = find_drift(target, deployment.assembly)
    if as_json:
        stdout.print_json(json.dumps({"environment": env, "drift": [asdict(one) for one in found]}))
    for one in found if not as_json else ():
        stdout.print(f"{one.kind}: {one.place} {one.message}", markup=False, highlight=False)
    if found:
        raise typer.Exit(1)
    if not as_json:
        stderr.print(f"{env} is as it was deployed, and as it is here.", highlight=False)
