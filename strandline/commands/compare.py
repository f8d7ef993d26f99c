"""`strandline compare`: the same prompt to several models of the gateway, side by side."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from agent_runtime.errors import InputError
from strandline.console import stderr, stdout
from strandline.targets import (
    ENVIRONMENTS,
    EnvironmentOption,
    EnvironmentsOption,
    GatewayUrlOption,
    JsonOption,
    open_target,
)

if TYPE_CHECKING:
    from rich.table import Table

    from strandline.comparison import ModelReply

_MOST_MODELS = 12


def compare(
    models: Annotated[list[str], typer.Argument(help="Public names of models, as in gateway.yaml.")],
    prompt: Annotated[str, typer.Option("--prompt", "-p", help="What to ask.")],
    env: EnvironmentOption,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Longest answer, in tokens.")] = None,
    url: GatewayUrlOption = None,
    as_json: JsonOption = False,
    environments: EnvironmentsOption = ENVIRONMENTS,
) -> None:
    """Ask several models the same and put answers, times, tokens and costs side by side."""
    from strandline.comparison import compare_models
    from strandline.gateway_client import open_inference

    distinct = list(dict.fromkeys(models))
    if len(distinct) > _MOST_MODELS:
        raise InputError(f"{len(distinct)} models are too many to ask at once: name at most {_MOST_MODELS}.")
    client = open_inference(open_target(env, environments), url)
    with stderr.status(f"Asking {', '.join(distinct)}"):
        replies = compare_models(client, distinct, prompt, max_tokens=max_tokens)
    if as_json:
        stdout.print_json(json.dumps({"prompt": prompt, "replies": [reply.as_dict() for reply in replies]}))
    else:
        stdout.print(_table(replies))
    if any(reply.error for reply in replies):
        raise typer.Exit(2)


def _table(replies: list[ModelReply]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(pad_edge=False, show_lines=True)
    table.add_column("")
    for reply in replies:
        table.add_column(escape(reply.model), overflow="fold", ratio=1)
    table.add_row("answer", *(escape(reply.text) or "-" for reply in replies))
    table.add_row("first text", *(_milliseconds(reply.first_text_ms) for reply in replies))
    table.add_row("latency", *(_milliseconds(reply.latency_ms) for reply in replies))
    table.add_row("tokens", *(_tokens(reply) for reply in replies))
    table.add_row("cost", *("-" if reply.cost_usd is None else f"{reply.cost_usd:.6f} USD" for reply in replies))
    table.add_row("answered by", *(escape(_answered_by(reply)) for reply in replies))
    if any(reply.error for reply in replies):
        table.add_row("[red]error[/]", *(escape(reply.error or "-") for reply in replies))
    return table


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} ms"


def _tokens(reply: ModelReply) -> str:
    if reply.input_tokens is None or reply.output_tokens is None:
        return "-"
    return f"{reply.input_tokens:,} in, {reply.output_tokens:,} out"


def _answered_by(reply: ModelReply) -> str:
    how = " (a fallback, of a weaker tier)" if reply.weaker else " (a fallback)" if reply.fallback else ""
    return (reply.answered_by or "-") + how
