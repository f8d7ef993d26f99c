"""`strandline invoke`: one question to a deployed agent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from strandline.console import stderr, stdout
from strandline.invocation import open_agent, told_of
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
    from strandline.client import Agent


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
    asked = open_agent(target, agent)
    session_id = session or asked.new_session()
    if as_json:
        stdout.print_json(json.dumps(told_of(asked.ask(prompt, session_id=session_id))))
        return
    answer = ask_and_print(asked, prompt, session_id)
    stderr.print(f"[dim]session {session_id}, {answer.latency_ms / 1000:.1f} s[/]", highlight=False)


def ask_and_print(agent: Agent, prompt: str, session_id: str) -> Answer:
    """Asks an agent and prints its answer piece by piece; a new session's start shows a spinner.

    Args:
        agent: The agent.
        prompt: What to ask.
        session_id: AgentCore's session.

    Returns:
        The answer.

    Raises:
        StrandlineError: As `Agent.ask` does.
    """
    waiting = stderr.status(f"Waiting for {agent.name}")

    def print_piece(text: str) -> None:
        waiting.stop()
        stdout.print(text, end="", markup=False, highlight=False)

    with waiting:
        answer = agent.ask(prompt, session_id=session_id, on_text=print_piece)
    stdout.print()
    return answer
