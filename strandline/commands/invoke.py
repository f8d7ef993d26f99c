"""`strandline invoke`: one question to a deployed agent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from strandline.console import stderr, stdout
from strandline.invocation import ask, new_session_id, told_of
from strandline.targets import (
    ENVIRONMENTS,
    AgentArgument,
    EnvironmentOption,
    EnvironmentsOption,
    JsonOption,
    open_target,
)

if TYPE_CHECKING:
    from stacks.custom_resources.agent_calls import Answer
    from strandline.targets import Target


def invoke(
    agent: AgentArgument,
    prompt: Annotated[str, typer.Argument(help="What to ask.")],
    env: EnvironmentOption,
    session: Annotated[
        str | None, typer.Option("--session", help="Go on with a session; 33 characters at least.")
    ] = None,
    as_json: JsonOption = False,
    environments: EnvironmentsOption = ENVIRONMENTS,
) -> None:
    """Ask a deployed agent and stream its answer."""
    target = open_target(env, environments)
    session_id = session or new_session_id()
    if as_json:
        answer = ask(target, agent, prompt, session_id=session_id)
        stdout.print_json(json.dumps(told_of(answer)))
        return
    answer = ask_and_print(target, agent, prompt, session_id=session_id)
    stderr.print(f"[dim]session {session_id}, {answer.latency_ms / 1000:.1f} s[/]", highlight=False)


def ask_and_print(target: Target, agent: str, prompt: str, *, session_id: str) -> Answer:
    """Asks an agent and prints its answer piece by piece; a new session's start shows a spinner.

    Args:
        target: The environment.
        agent: Id of the agent.
        prompt: What to ask.
        session_id: AgentCore's session.

    Returns:
        The answer.

    Raises:
        StrandlineError: As `ask` does.
    """
    waiting = stderr.status(f"Waiting for {agent}")

    def print_piece(text: str) -> None:
        waiting.stop()
        stdout.print(text, end="", markup=False, highlight=False)

    with waiting:
        answer = ask(target, agent, prompt, session_id=session_id, on_text=print_piece)
    stdout.print()
    return answer
