"""What an environment costs in an idle month: `python -m benchmarks.cost`.

Every environment of `environments.yaml` is synthesised in both profiles of its gateway, with the repository's own
agents, and each resource of its templates is priced. Writes `benchmarks/results/cost.json` and `docs/cost.md`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from benchmarks.cost_page import AGENTS, PROFILES, TARGETS, Row, write_page
from benchmarks.table import Report
from strandline.pricing import Bill, Prices
from strandline.toolchain import node_bin

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "cost.md"
ON_THIS_MACHINE = "local"


def with_profile(environments: str, profile: str) -> str:
    """The environments' file with the gateway of each environment in a profile.

    Args:
        environments: Text of `environments.yaml`.
        profile: stateless or managed.

    Returns:
        The changed text, without the environment that needs no AWS.
    """
    document = yaml.safe_load(environments)
    kept = {name: settings for name, settings in document["environments"].items() if name != ON_THIS_MACHINE}
    for settings in kept.values():
        settings["releases"] = "working-tree"
        settings["gateway"] = {**settings.get("gateway", {}), "profile": profile}
        if profile == "stateless":
            settings["gateway"].pop("database", None)
    return yaml.safe_dump({"environments": kept}, sort_keys=False)


def with_agents_everywhere(blueprints: Path, folder: Path) -> None:
    """Copies the blueprints, with every agent allowed in every environment: one without agents is not what anybody has.

    Args:
        blueprints: The blueprints folder.
        folder: Where the copy goes.
    """
    shutil.copytree(blueprints, folder)
    for file in folder.glob("agents/*.yaml"):
        agent = yaml.safe_load(file.read_text())
        agent["execution_modes"] = {"simulation": True, "staging": True, "production": True}
        file.write_text(yaml.safe_dump(agent, sort_keys=False))


def write_project(profile: str, folder: Path) -> None:
    """Writes what is priced: the repository's own environments and blueprints, in one profile.

    Args:
        profile: stateless or managed.
        folder: Where to.
    """
    (folder / "environments.yaml").write_text(with_profile((ROOT / "environments.yaml").read_text(), profile))
    with_agents_everywhere(ROOT / "blueprints", folder / "blueprints")


def price_assembly(assembly: Path, profile: str, prices: Prices) -> list[Row]:
    """Prices every environment of a cloud assembly.

    Args:
        assembly: The folder.
        profile: What all its gateways are.
        prices: The price table.

    Returns:
        A row for each environment, and one for its agents without their secrets, in the order of their names.
    """
    by_environment: dict[str, dict[tuple[str, str], Any]] = {}
    regions = set()
    for path, region, template in _templates(assembly):
        regions.add(region)
        resources = by_environment.setdefault(path.partition("/")[0], {})
        resources |= {(path, name): resource for name, resource in template.get("Resources", {}).items()}
    if other := regions - {prices.document["region"]}:
        raise SystemExit(
            f"The prices are those of {prices.document['region']}, and there is an environment in {other}."
        )
    rows = []
    for stage, resources in by_environment.items():
        rows.append(_row(stage.lower(), profile, Bill(resources, prices)))
        rows.append(_row(stage.lower(), AGENTS, Bill(_agents(resources), prices)))
    return rows


def _agents(resources: dict[tuple[str, str], Any]) -> dict[tuple[str, str], Any]:
    """What agents are made of. Their secrets are told apart: they are billed wherever they are kept."""
    return {
        key: resource
        for key, resource in resources.items()
        if "/Agent-" in key[0] and resource["Type"] != "AWS::SecretsManager::Secret"
    }


def _row(environment: str, profile: str, bill: Bill) -> Row:
    parts: Counter[str] = Counter()
    for part, usd in bill.charges():
        parts[part] += usd
    rounded = {part: round(usd, 2) for part, usd in sorted(parts.items(), key=lambda pair: -pair[1])}
    return {
        "environment": environment,
        "profile": profile,
        "usd_month": round(sum(parts.values()), 2),
        "parts": rounded,
    }


def _templates(assembly: Path) -> Iterator[tuple[str, str, Any]]:
    """Path of the stack, its region, its template."""
    for manifest in sorted(assembly.glob("**/manifest.json")):
        for artifact in json.loads(manifest.read_text()).get("artifacts", {}).values():
            if artifact["type"] == "aws:cloudformation:stack":
                region = artifact["environment"].rpartition("/")[2]
                template = manifest.parent / artifact["properties"]["templateFile"]
                yield artifact["displayName"], region, json.loads(template.read_text())


def merge(rows: list[Row]) -> list[Row]:
    """Sorts the rows: environments in the order of their size, and the agents of all as one, the dearest."""
    order = ("simulation", "staging", "production")
    whole = [row for row in rows if row["profile"] in PROFILES]
    whole.sort(key=lambda row: (order.index(row["environment"]), PROFILES.index(row["profile"])))
    agents = max((row for row in rows if row["profile"] not in PROFILES), key=lambda row: row["usd_month"])
    return [*whole, {**agents, "environment": "every"}]


def synthesise(folder: Path) -> Path:
    """Synthesises a project, as the CDK CLI does.

    Args:
        folder: The project.

    Returns:
        The cloud assembly.
    """
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    context |= {"environments": str(folder / "environments.yaml"), "blueprints": str(folder / "blueprints")}
    variables = {
        "CDK_OUTDIR": str(folder / "out"),
        "CDK_CONTEXT_JSON": json.dumps(context),
        "JSII_NODE": str(node_bin() / "node"),
    }
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    return folder / "out"


def verdicts(rows: list[Row]) -> list[str]:
    """Whether each target is kept."""
    found = {(row["environment"], row["profile"]): row["usd_month"] for row in rows}
    told = [
        f"{environment} ({profile}): target {target:.0f} USD a month, {found[environment, profile]:.2f}: "
        f"{'kept' if found[environment, profile] <= target else 'MISSED'}."
        for (environment, profile), target in TARGETS.items()
    ]
    agents = next(row["usd_month"] for row in rows if row["environment"] == "every")
    kept = "kept" if agents == 0 else "MISSED"
    return [*told, f"agents when idle, their secrets apart: target 0 USD a month, {agents:.2f}: {kept}."]


def main() -> None:
    """Prices all environments and writes both files."""
    prices = Prices.load()
    rows: list[Row] = []
    for profile in PROFILES:
        with tempfile.TemporaryDirectory() as scratch:
            write_project(profile, Path(scratch))
            rows += price_assembly(synthesise(Path(scratch)), profile, prices)
    report = Report(
        "cost",
        f"An idle month in US dollars, list prices of {prices.document['region']}, {prices.document['as_of']}",
        {"environment": "environment", "profile": "gateway", "usd_month": "USD/month"},
        rows=merge(rows),
    )
    report.notes = verdicts(report.rows)
    report.publish()
    PAGE.write_text(write_page(report.rows, prices))


if __name__ == "__main__":
    main()
