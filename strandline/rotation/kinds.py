"""Which rotation a variable has: what people type, what the gateway mints, what Secrets Manager makes, what never."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_runtime.errors import InputError
from gateway.proxy.keys import MASTER_KEY
from stacks.gateway_target import own_keys
from stacks.names import ENVIRONMENT_KEY, GATEWAY, SALT_KEY, next_key
from stacks.simulation import gateway_key_in
from strandline.rotation.agent_keys import AgentKey
from strandline.rotation.own_keys import OwnKey
from strandline.rotation.rotate import Rotation
from strandline.rotation.uses import Use, uses_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stacks.environments import Environment
    from stacks.project import Project
    from strandline.rotation.rotate import Record
    from strandline.targets import Target

_NEVER = {
    SALT_KEY: "What LiteLLM has encrypted in its database can be read with this salt only: it never rotates.",
    **{next_key(name): f"This key is renewed by the rotation of {name}." for name in (MASTER_KEY, ENVIRONMENT_KEY)},
}


def open_rotation(target: Target, project: Project, variables: Sequence[str], record: Record) -> Rotation:
    """Opens the rotation of variables that change together.

    Args:
        target: The environment.
        project: The user's files.
        variables: Distinct names of the variables.
        record: Told each step, with the id of the version by variable.

    Returns:
        The rotation.

    Raises:
        InputError: One of them never rotates, rotates by itself only, or nobody in the environment uses it.
    """
    made = made_here(project, target.environment)
    for variable in variables:
        if variable in _NEVER:
            raise InputError(f"{variable} is not rotated. {_NEVER[variable]}")
        if variable in made and len(variables) > 1:
            raise InputError(f"{variable} is made by us, and rotates by itself: name it alone.")
    first = variables[0]
    if first in made:
        kind = OwnKey if first in (MASTER_KEY, ENVIRONMENT_KEY) else AgentKey
        return kind(target, {first: made[first]}, record)
    uses = {variable: uses_of(project, target.environment, variable) for variable in variables}
    if unused := [variable for variable, found in uses.items() if not found]:
        raise InputError(
            f"Nobody in {target.environment.name} names {', '.join(unused)}: "
            "strandline secrets list shows what there is."
        )
    return Rotation(target, uses, record)


def made_here(project: Project, environment: Environment) -> dict[str, list[Use]]:
    """Finds the keys that nobody types.

    Args:
        project: The user's files.
        environment: Where.

    Returns:
        Who uses each, by variable.
    """
    if project.gateway is None:
        return {}
    found = {variable: [Use(GATEWAY, None, None)] for variable in own_keys(environment)}
    for agent in project.agents_of(environment):
        if variable := gateway_key_in(agent.blueprint, environment):
            found.setdefault(variable, []).append(Use(agent.blueprint.id, None, None))
    return found


def groups_of(project: Project, environment: Environment, variables: Sequence[str]) -> list[list[str]]:
    """Puts together what rotates together: the headers that go with one question.

    Args:
        project: The user's files.
        environment: Where.
        variables: What is to be rotated.

    Returns:
        The variables, in groups.
    """
    groups: list[set[str]] = []
    for variable in variables:
        together = {variable}
        for use in uses_of(project, environment, variable):
            headers = {name for _, name in use.headers}
            together |= headers & set(variables) if variable in headers else set()
        for other in [group for group in groups if group & together]:
            groups.remove(other)
            together |= other
        groups.append(together)
    return [sorted(group) for group in groups]
