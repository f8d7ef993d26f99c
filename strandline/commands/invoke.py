"""`strandline invoke`: one question to a deployed agent."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from strandline.console import stderr, stdout
from strandline.invocation import ask, new_session_id
from strandline.targets import ENVIRONMENTS, EnvironmentOption, EnvironmentsOption, JsonOption, open_target


def invoke(
    agent: Annotated[str, typer.Argument(help="Id of the agent.")],
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
        stdout.print_json(json.dumps(answer.as_dict()))
        return
    answer = ask(target, agent, prompt, session_id=session_id, on_text=_print_piece)
    stdout.print()
    stderr.print(f"[dim]session {session_id}, {answer.latency_ms / 1000:.1f} s[/]", highlight=False)


def _print_piece(text: str) -> None:
    stdout.print(text, end="", markup=False, highlight=False)
