"""From the blueprints folder to validated agents.

blueprints/
  agents/*.yaml      one agent each
  prompts/<ref>.md   what `prompt_ref` names
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent_runtime.blueprint import LATER_FIELDS, Blueprint
from agent_runtime.errors import InputError, Problem
from agent_runtime.prompts import PromptFolder
from agent_runtime.validation import validate
from agent_runtime.yaml_reader import read_yaml_inside

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from agent_runtime.yaml_nodes import Document

AGENTS = "agents"
PROMPTS = "prompts"


@dataclass(frozen=True, slots=True)
class LoadedBlueprint:
    """One agent as its files describe it.

    Attributes:
        blueprint: The validated blueprint.
        prompt: Text of its system prompt.
        source: Path of the blueprint's file as the user names it.
        document: The file as read, to point at a place in it.
    """

    blueprint: Blueprint
    prompt: str
    source: str
    document: Document = field(repr=False, compare=False)


def load_blueprint(path: Path) -> LoadedBlueprint:
    """Load one agent from `<root>/agents/<name>.yaml`; its prompt is looked for in `<root>/prompts`.

    Args:
        path: The blueprint's file.

    Returns:
        The agent.

    Raises:
        InputError: The blueprint or its prompt is at fault; carries every problem.
    """
    folder = path.parent
    return _load(folder, (path.name,), PromptFolder(folder.parent / PROMPTS))


def load_blueprints(root: Path) -> tuple[LoadedBlueprint, ...]:
    """Load every agent of a blueprints folder.

    Args:
        root: The folder that holds `agents` and `prompts`.

    Returns:
        The agents, sorted by id.

    Raises:
        InputError: A file is at fault or two agents share an id; carries every problem of every file.
    """
    problems: list[Problem | str] = []
    loaded: list[LoadedBlueprint] = []
    prompts = PromptFolder(root / PROMPTS)
    for name in _agent_files(root):
        try:
            loaded.append(_load(root, (AGENTS, name), prompts))
        except InputError as error:
            problems += error.problems
    problems += _clashes(loaded)
    if problems:
        raise InputError(*problems)
    return tuple(sorted(loaded, key=lambda agent: agent.blueprint.id))


def _load(folder: Path, steps: tuple[str, ...], prompts: PromptFolder) -> LoadedBlueprint:
    document = read_yaml_inside(folder, *steps)
    blueprint = validate(Blueprint, document, later=LATER_FIELDS)
    prompt = prompts.read(blueprint.prompt_ref, document)
    return LoadedBlueprint(blueprint, prompt, document.file, document)


def _agent_files(root: Path) -> list[str]:
    folder = root / AGENTS
    try:
        names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError:
        hint = f"create {folder} with one YAML file for each agent"
        raise InputError(Problem(str(folder), 1, 1, "", "there is no such folder", hint)) from None
    files = [name for name in names if name.endswith(".yaml")]
    # Left out without a word, such a file would be an agent that never gets deployed.
    misnamed = [name for name in names if name.endswith((".yml", ".YAML", ".YML"))]
    if misnamed:
        message = "only .yaml files are read"
        hint = "rename it to end in .yaml"
        raise InputError(*(Problem(str(folder / name), 1, 1, "", message, hint) for name in misnamed))
    if not files:
        raise InputError(Problem(str(folder), 1, 1, "", "there is no blueprint in this folder", "add one, *.yaml"))
    return files


def _clashes(loaded: Iterable[LoadedBlueprint]) -> list[Problem]:
    by_id: defaultdict[str, list[LoadedBlueprint]] = defaultdict(list)
    for agent in loaded:
        by_id[agent.blueprint.normalised_id].append(agent)
    return [_clash(agents[0], other) for agents in by_id.values() for other in agents[1:]]


def _clash(first: LoadedBlueprint, other: LoadedBlueprint) -> Problem:
    place = first.document.value_place(("id",))
    where = f"{first.source}:{place.line}"
    if first.blueprint.id == other.blueprint.id:
        message = f"the id '{other.blueprint.id}' is taken by {where}"
    else:
        message = f"the id '{other.blueprint.id}' is the same to AWS as '{first.blueprint.id}' of {where}"
    return other.document.problem(("id",), message, "give one of the two another id")
