"""From an agent as its files describe it to the agent of one environment: overlay, variables, and where it may run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from agent_runtime.blueprint import Blueprint, EnvironmentName
from agent_runtime.destination import destination_faults, variables_of
from agent_runtime.errors import InputError, Problem
from agent_runtime.expansion import ExpansionFault
from agent_runtime.later import LATER_FIELDS
from agent_runtime.overlays import EnvironmentView, overlaid_environments
from agent_runtime.validation import validate

if TYPE_CHECKING:
    from agent_runtime.destination import Destination
    from agent_runtime.loader import LoadedBlueprint
    from agent_runtime.prompts import Prompt
    from agent_runtime.references import References
    from agent_runtime.yaml_nodes import Document

_PROMPT_PATH = ("prompt_ref",)


def overlay_problems(document: Document, references: References, base: InputError | None) -> list[Problem]:
    """Find what is wrong with the overlays of a blueprint, whatever the variables of their environments are.

    Args:
        document: The blueprint's file.
        references: The files that blueprints name.
        base: What is wrong with the blueprint without them; not told again.

    Returns:
        The problems, at the overlays' own lines.
    """
    told = {_what(problem) for problem in base.problems if isinstance(problem, Problem)} if base else set()
    problems: list[Problem] = []
    for environment in overlaid_environments(document):
        if environment not in get_args(EnvironmentName):
            continue
        view = EnvironmentView(document, environment)
        try:
            references.read(validate(Blueprint, view.document, later=LATER_FIELDS), view.document)
        except InputError as error:
            new = [one for one in error.problems if isinstance(one, Problem) and _what(one) not in told]
            problems += view.told(new)
    return problems


def resolve(agent: LoadedBlueprint, destination: Destination) -> LoadedBlueprint:
    """Make the agent of one environment.

    Args:
        agent: The agent as loaded.
        destination: The environment.

    Returns:
        The agent with the environment's overlay, with every variable expanded.

    Raises:
        InputError: A variable is not set, or the agent may not run there as it is; carries every problem.
    """
    view = EnvironmentView(agent.document, destination.name)
    try:
        return _resolved(agent, destination, view)
    except InputError as error:
        raise InputError(*view.told(problem for problem in error.problems if isinstance(problem, Problem))) from None


def _resolved(agent: LoadedBlueprint, destination: Destination, view: EnvironmentView) -> LoadedBlueprint:
    blueprint = agent.blueprint
    if view.is_overlaid:
        blueprint = validate(Blueprint, view.document, later=LATER_FIELDS)
    elif blueprint.environments:
        blueprint = blueprint.model_copy(update={"environments": {}})
    variables = variables_of(blueprint, destination)
    before = view.document
    problems = list(view.expand(variables))
    if view.document is not before:
        blueprint = _validated(view.document, blueprint, problems)
    prompt, schemas = agent.references.read(blueprint, view.document)
    problems += _destination_problems(blueprint, destination, view.document)
    text = _prompt_text(prompt, destination, variables, view.document, problems)
    if problems:
        raise InputError(*sorted(set(problems)))
    return replace(
        agent,
        blueprint=blueprint,
        prompt=text,
        prompt_status=prompt.status,
        schemas=schemas,
        variables=variables,
        document=view.document,
    )


def _validated(document: Document, before: Blueprint, problems: list[Problem]) -> Blueprint:
    """Check what stands in the fields that were expanded, by the rules of what is written there itself."""
    try:
        return validate(Blueprint, document, later=LATER_FIELDS)
    except InputError as error:
        problems += [problem for problem in error.problems if isinstance(problem, Problem)]
    return before


def _destination_problems(blueprint: Blueprint, destination: Destination, document: Document) -> list[Problem]:
    return [
        document.problem(fault.at, fault.message, fault.hint) for fault in destination_faults(blueprint, destination)
    ]


def _prompt_text(
    prompt: Prompt,
    destination: Destination,
    variables: dict[str, str],
    document: Document,
    problems: list[Problem],
) -> str:
    if prompt.status == "draft" and destination.execution_mode == "production":
        message = f"the prompt {prompt.file} is a draft, and production takes stable prompts only"
        hint = "set its status to stable, or name another version of it"
        problems.append(document.problem(_PROMPT_PATH, message, hint))
    try:
        return prompt.expanded(variables)
    except ExpansionFault as fault:
        message = f"the prompt {prompt.file}: {fault.message}"
        problems.append(document.problem(_PROMPT_PATH, message, fault.hint))
    return prompt.text


def _what(problem: Problem) -> tuple[int, int, str]:
    return problem.line, problem.column, problem.message
