"""`strandline demo`: the whole way once, from a blueprint to a streamed answer, with a summary of what happened."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent_runtime.errors import InputError
from strandline.commands.deploy import Deployment, prepare
from strandline.commands.invoke import ask_and_print
from strandline.console import stderr, stdout
from strandline.inventory import take_inventory
from strandline.invocation import open_agent, told_of
from strandline.local_cloud import default_home
from strandline.targets import BLUEPRINTS, ENVIRONMENTS, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacks.custom_resources.agent_calls import Answer
    from strandline.inventory import Inventory

_AGENT = "hello"
_MODEL = "demo"
_PROMPT = "What did it take to answer me?"
_KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}


def demo(
    model: Annotated[
        str | None,
        typer.Option(help="Ask a real provider, such as openai/gpt-4.1-mini; its key is in the environment."),
    ] = None,
    prompt: Annotated[str, typer.Option(help="What to ask.")] = _PROMPT,
) -> None:
    """Deploy the sample agent to the local cloud and ask it."""
    times: dict[str, float] = {}
    key = _provider_key(model) if model else None
    environments, blueprints = _with_model(model, key) if model and key else (ENVIRONMENTS, BLUEPRINTS)
    from strandline.secret_values import put_value

    with _timed(times, "local cloud"):
        target = prepare("local", environments)
    with _timed(times, "cdk synth, bootstrap and deploy"):
        deployment = Deployment(target, environments=environments, blueprints=blueprints)
        deployment.run(before_agents=lambda: put_value(target, key, os.environ[key]) if key else None)
    stdout.print(f"\n[bold]{_AGENT}[/], asked: {prompt}\n")
    with _timed(times, "first answer (a cold start)"):
        agent = open_agent(target, _AGENT)
        answer = ask_and_print(agent, prompt, agent.new_session())
    stdout.print()
    _print_summary(take_inventory(target), answer, times, target)


def _provider_key(model: str) -> str:
    provider = model.split("/", 1)[0]
    key = _KEYS.get(provider)
    if key is None or "/" not in model:
        raise InputError(f"MODEL={model}: write {' or '.join(f'{name}/<model>' for name in _KEYS)}.")
    if not os.environ.get(key):
        raise InputError(f"MODEL={model} needs {key} in the environment.")
    return key


def _with_model(model: str, key: str) -> tuple[Path, Path]:
    """Copies environments and blueprints and lets the demo's model be the real one; the user's files stay as they are.

    The copy runs in execution mode staging: in simulation no provider is called.
    """
    import yaml

    copy = default_home() / "demo"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(BLUEPRINTS, copy / "blueprints")
    environments, gateway = copy / ENVIRONMENTS.name, copy / "blueprints" / "gateway.yaml"
    agent = copy / "blueprints" / "agents" / f"{_AGENT}.yaml"
    changes: list[tuple[Path, Path, list[str], Any]] = [
        (ENVIRONMENTS, environments, ["environments", "local", "execution_mode"], "staging"),
        (gateway, gateway, ["models", _MODEL], {"model": model, "api_key_env": key}),
        (agent, agent, ["execution_modes", "staging"], True),
    ]
    for source, file, path, value in changes:
        document = part = yaml.safe_load(source.read_text())
        for step in path[:-1]:
            part = part.setdefault(step, {})
        part[path[-1]] = value
        file.write_text(yaml.safe_dump(document))
    return environments, copy / "blueprints"


@contextmanager
def _timed(times: dict[str, float], step: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    times[step] = time.perf_counter() - started


def _print_summary(inventory: Inventory, answer: Answer, times: dict[str, float], target: Target) -> None:
    from rich.table import Table

    facts = told_of(answer)
    agent = next(one for one in inventory.agents if one.runtime == f"{target.environment.name}_{_AGENT}")
    gateway = inventory.gateway or {}
    usage = facts["usage"] or {}
    cost = "unknown" if facts["cost_usd"] is None else f"{facts['cost_usd']:.6f} USD"
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    rows = [
        ("stacks", ", ".join(inventory.stacks)),
        ("runtime", f"{agent.arn}, version {agent.version}, live {agent.live}"),
        ("gateway", f"{gateway.get('taskDefinition')}, {gateway.get('runningCount')} task"),
        ("secrets", ", ".join(inventory.secrets)),
        ("model", str(facts["model"])),
        ("tokens", f"{usage.get('input_tokens')} in, {usage.get('output_tokens')} out"),
        ("cost", cost),
        *((f"time: {step}", f"{seconds:.1f} s") for step, seconds in times.items()),
    ]
    for name, value in rows:
        table.add_row(f"[dim]{name}[/]", value)
    stdout.print(table)
    stderr.print(
        'Next: [bold].venv/bin/strandline invoke hello --env local "Hello"[/], then edit blueprints/agents/hello.yaml. '
        "[bold].venv/bin/strandline local down[/] ends it all.",
        highlight=False,
    )
