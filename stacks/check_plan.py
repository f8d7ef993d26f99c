"""What the gate of a deployment runs, and `strandline checks run`: an agent's checks with all that they name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent_runtime.errors import InputError
from stacks.custom_resources.json_schema import NOT_HELD, parts_of

if TYPE_CHECKING:
    from agent_runtime.blueprint import Blueprint
    from agent_runtime.blueprint_blocks import Check
    from agent_runtime.loader import LoadedBlueprint
    from stacks.environments import Environment


def judge_model_in(blueprint: Blueprint, environment: Environment) -> str | None:
    """Gives the model that judges an agent's answers: none in simulation, where no model could."""
    return None if environment.execution_mode == "simulation" else blueprint.gate.judge_model


def check_plan(agent: LoadedBlueprint, environment: Environment) -> dict[str, Any]:
    """Writes down what is run.

    Args:
        agent: The agent as it is in the environment.
        environment: The environment.

    Returns:
        Checks, as `stacks.custom_resources.check_run` takes them.

    Raises:
        InputError: A check's schema holds what the gate cannot hold an answer to.
    """
    gate, judge = agent.blueprint.gate, judge_model_in(agent.blueprint, environment)
    checks = [_check(agent, index, check) for index, check in enumerate(agent.blueprint.checks)]
    return {
        "checks": checks if judge else [_without_judge(check) for check in checks],
        "repetitions": gate.repetitions,
        "pass_threshold": gate.pass_threshold,
        "max_cost_usd": gate.max_cost_usd,
        "judge_model": judge,
    }


def _without_judge(check: dict[str, Any]) -> dict[str, Any]:
    return {name: expected for name, expected in check.items() if name != "judge"}


def _check(agent: LoadedBlueprint, index: int, check: Check) -> dict[str, Any]:
    told = check.model_dump(mode="json", exclude_none=True)
    # An empty list of texts expects nothing, and one of tools that none is called.
    if not check.contains:
        del told["contains"]
    name = check.output_schema
    if name is not None:
        told["output_schema"] = {"name": name}
        # The handler holds every answer to the agent's own schema before it gives it.
        if name != agent.blueprint.output_schema:
            schema = agent.schemas[name].schema
            _refuse_unheld(agent, index, name, schema)
            told["output_schema"]["schema"] = schema
    return told


def _refuse_unheld(agent: LoadedBlueprint, index: int, name: str, schema: Any) -> None:
    unheld = sorted(NOT_HELD.intersection(name for part in parts_of(schema) for name in part))
    if unheld:
        path = ("checks", index, "output_schema")
        message = f"the checks do not hold answers to {', '.join(unheld)}, which {name} uses"
        raise InputError(agent.document.problem(path, message, "write the schema without it"))
