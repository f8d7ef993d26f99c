"""From the blueprints folder to validated agents.

blueprints/
  agents/*.yaml      one agent each
  prompts/<ref>.md   what `prompt_ref` names
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent_runtime.blueprint import Blueprint, normalise_id
from agent_runtime.errors import InputError, Problem
from agent_runtime.later import LATER_FIELDS
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
    return _load(read_yaml_inside(folder, path.name), PromptFolder(folder.parent / PROMPTS))


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
    documents: list[Document] = []
    loaded: list[LoadedBlueprint] = []
    prompts = PromptFolder(root / PROMPTS)
    for name in _agent_files(root):
        try:
            documents.append(read_yaml_inside(root, AGENTS, name))
            loaded.append(_load(documents[-1], prompts))
        except InputError as error:
            problems += error.problems
    problems += _clashes(documents)
    if problems:
        raise InputError(*problems)
    return tuple(sorted(loaded, key=lambda agent: agent.blueprint.id))


def _load(document: Document, prompts: PromptFolder) -> LoadedBlueprint:
    try:
        blueprint = validate(Blueprint, document, later=LATER_FIELDS)
    except InputError as error:
        raise InputError(*error.problems, *_prompt_problems(document, prompts, error)) from None
    prompt = prompts.read(blueprint.prompt_ref, document)
    return LoadedBlueprint(blueprint, prompt, document.file, document)


def _prompt_problems(document: Document, prompts: PromptFolder, error: InputError) -> tuple[Problem | str, ...]:
    """Look for the prompt of a blueprint that is at fault elsewhere: one run shows everything."""
    ref = document.text_at("prompt_ref")
    if ref is None or any(isinstance(problem, Problem) and problem.path == "prompt_ref" for problem in error.problems):
        return ()
    try:
        prompts.read(ref, document)
    except InputError as missing:
        return missing.problems
    return ()


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


def _clashes(documents: Iterable[Document]) -> list[Problem]:
    by_id: defaultdict[str, list[Document]] = defaultdict(list)
    for document in documents:
        if agent_id := document.text_at("id"):
            by_id[normalise_id(agent_id)].append(document)
    return [_clash(same[0], other) for same in by_id.values() for other in same[1:]]


def _clash(first: Document, other: Document) -> Problem:
    first_id, other_id = first.text_at("id"), other.text_at("id")
    where = f"{first.file}:{first.value_place(('id',)).line}"
    if first_id == other_id:
        message = f"the id '{other_id}' is taken by {where}"
    else:
        message = f"the id '{other_id}' is the same to AWS as '{first_id}' of {where}"
    return other.problem(("id",), message, "give one of the two another id")
