"""From the blueprints folder to validated agents.

blueprints/
  agents/*.yaml      one agent each
  prompts/<ref>.md   what `prompt_ref` names
  schemas/<ref>.json what `output_schema` names
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent_runtime.blueprint import Blueprint, normalise_id
from agent_runtime.errors import InputError, Problem
from agent_runtime.later import LATER_FIELDS
from agent_runtime.references import References
from agent_runtime.resolution import overlay_problems, resolve
from agent_runtime.validation import validate
from agent_runtime.yaml_reader import read_yaml_inside

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from agent_runtime.destination import Destination
    from agent_runtime.output_schemas import OutputSchema
    from agent_runtime.prompts import PromptStatus
    from agent_runtime.yaml_nodes import Document

AGENTS = "agents"


@dataclass(frozen=True, slots=True)
class LoadedBlueprint:
    """One agent as its files describe it, or as one environment sees it.

    Attributes:
        blueprint: The validated blueprint.
        prompt: Text of its system prompt, without front matter.
        source: Path of the blueprint's file as the user names it.
        document: The file as read, to point at a place in it.
        references: The files that blueprints name.
        prompt_status: Whether production may take the prompt.
        schemas: The schemas that the blueprint names, by name.
        variables: What `${VAR}` means to the agent and what its runtime is given; empty until an environment is known.
    """

    blueprint: Blueprint
    prompt: str
    source: str
    document: Document = field(repr=False, compare=False)
    references: References = field(repr=False, compare=False)
    prompt_status: PromptStatus = "stable"
    schemas: Mapping[str, OutputSchema] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    def for_environment(self, environment: Destination) -> LoadedBlueprint:
        """Return the agent as one environment sees it: overlay laid over it, every variable expanded.

        Args:
            environment: The environment: its name, execution mode and variables.

        Returns:
            The agent; its blueprint has no overlays and no `${...}`.

        Raises:
            InputError: A variable is not set, or the agent may not run there as it is; carries every problem.
        """
        return resolve(self, environment)


def load_blueprint(path: Path) -> LoadedBlueprint:
    """Load one agent from `<root>/agents/<name>.yaml`; what it names is looked for below `<root>`.

    Args:
        path: The blueprint's file.

    Returns:
        The agent.

    Raises:
        InputError: The blueprint or its prompt is at fault; carries every problem.
    """
    folder = path.parent
    return load_document(read_yaml_inside(folder, path.name), References(folder.parent))


def load_blueprints(root: Path) -> tuple[LoadedBlueprint, ...]:
    """Load every agent of a blueprints folder.

    Args:
        root: The folder that holds `agents`, `prompts` and `schemas`.

    Returns:
        The agents, sorted by id.

    Raises:
        InputError: A file is at fault or two agents share an id; carries every problem of every file.
    """
    problems: list[Problem | str] = []
    documents: list[Document] = []
    loaded: list[LoadedBlueprint] = []
    references = References(root)
    for name in _agent_files(root):
        try:
            documents.append(read_yaml_inside(root, AGENTS, name))
            loaded.append(load_document(documents[-1], references))
        except InputError as error:
            problems += error.problems
    problems += _clashes(documents)
    if problems:
        raise InputError(*problems)
    return tuple(sorted(loaded, key=lambda agent: agent.blueprint.id))


def load_document(document: Document, references: References) -> LoadedBlueprint:
    """Load one agent from a document that was read already.

    Args:
        document: The blueprint's file.
        references: The files that it may name.

    Returns:
        The agent.

    Raises:
        InputError: The blueprint, one of its overlays or a file that it names is at fault; carries every problem.
    """
    try:
        loaded = _load_base(document, references)
    except InputError as error:
        raise InputError(*error.problems, *overlay_problems(document, references, error)) from None
    if problems := overlay_problems(document, references, None):
        raise InputError(*problems)
    return loaded


def _load_base(document: Document, references: References) -> LoadedBlueprint:
    try:
        blueprint = validate(Blueprint, document, later=LATER_FIELDS)
    except InputError as error:
        raise InputError(*error.problems, *references.problems_of(document, error)) from None
    prompt, schemas = references.read(blueprint, document)
    return LoadedBlueprint(blueprint, prompt.text, document.file, document, references, prompt.status, schemas)


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
