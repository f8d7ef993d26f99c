"""Scenarios, read from `blueprints/scenarios/<agent>.yaml` and written as the simulator reads them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import InputError, Problem
from agent_runtime.providers.wire import model_behind_proxy
from agent_runtime.suggestions import did_you_mean
from agent_runtime.validation import validate
from agent_runtime.yaml_reader import read_yaml_inside
from gateway.scenario_schema import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from agent_runtime.loader import LoadedBlueprint
    from agent_runtime.yaml_nodes import Document
    from gateway.scenario_schema import Rule

FOLDER = "scenarios"
_FORMAT = 1


def load_scenarios(blueprints: Path, agents: Iterable[LoadedBlueprint]) -> dict[str, Scenario]:
    """Reads the scenarios of a blueprints folder.

    Args:
        blueprints: The folder.
        agents: All agents of the folder.

    Returns:
        The scenarios by the agent's id; none where there is no folder `scenarios`.

    Raises:
        InputError: A file is at fault or is no agent's; carries every problem of every file.
    """
    ids = {agent.blueprint.id for agent in agents}
    scenarios: dict[str, Scenario] = {}
    problems: list[Problem | str] = []
    for name in _files(blueprints / FOLDER):
        try:
            document = read_yaml_inside(blueprints, FOLDER, name)
            scenarios[name.removesuffix(".yaml")] = _of_agent(document, name, ids)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(*problems)
    return scenarios


def compile_scenarios(scenarios: Mapping[str, Scenario], agents: Iterable[LoadedBlueprint]) -> dict[str, bytes]:
    """Writes the scenarios as the simulator reads them.

    Args:
        scenarios: Scenarios by the agent's id.
        agents: The agents of one environment, each as it is there.

    Returns:
        File names and contents; the same input gives the same bytes.
    """
    return {
        f"{agent.blueprint.id}.json": _compiled(agent, scenarios[agent.blueprint.id])
        for agent in sorted(agents, key=lambda agent: agent.blueprint.id)
        if agent.blueprint.id in scenarios
    }


def _files(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    misnamed = [name for name in names if not name.endswith(".yaml")]
    if misnamed:
        message, hint = "only .yaml files are read", "name it <agent>.yaml, or move it away"
        raise InputError(*(Problem(str(folder / name), 1, 1, "", message, hint) for name in misnamed))
    return names


def _of_agent(document: Document, name: str, ids: set[str]) -> Scenario:
    scenario = validate(Scenario, document)
    agent = name.removesuffix(".yaml")
    if agent not in ids:
        hint = f"name the file by an agent's id; {did_you_mean(agent, sorted(ids))}"
        raise InputError(Problem(document.file, 1, 1, "", f"there is no agent '{agent}'", hint))
    return scenario


def _compiled(agent: LoadedBlueprint, scenario: Scenario) -> bytes:
    document = {
        "format": _FORMAT,
        "agent": agent.blueprint.id,
        "model": model_behind_proxy(agent.blueprint.model.model_id),
        "rules": [_compiled_rule(rule) for rule in scenario.rules],
    }
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def _compiled_rule(rule: Rule) -> dict[str, Any]:
    written: dict[str, Any] = rule.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    # What may be empty and says something all the same.
    if rule.structured is not None:
        written["structured"] = dict(rule.structured)
    when: dict[str, Any] = written.pop("when", {})
    result: dict[str, Any] = when.pop("tool_result", {})
    if tool := result.pop("tool", None):
        when["tool"] = tool
    if result:
        when["tool_text"] = result
    usage: dict[str, Any] = written.pop("usage", {})
    return {**written, **usage, **({"when": when} if when else {})}
