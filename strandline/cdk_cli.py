"""Runs the pinned CDK CLI and shows its progress as one live table."""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from agent_runtime.errors import EnvironmentFault, StrandlineError
from strandline.console import stderr
from strandline.failure_report import explain_failure
from strandline.toolchain import node_bin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from rich.table import Table

_ROOT = Path(__file__).resolve().parent.parent
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_DEPLOYING = re.compile(r"^\S+/\S+ \((?P<stack>[^)]+)\): deploying")
_DONE = re.compile(r"^✅\s+\S+ \((?P<stack>[^)]+)\)(?P<unchanged> \(no changes\))?")
_FAILED = re.compile(r"^❌\s+(?:\S+ \()?(?P<stack>[A-Za-z0-9-]+)\)? failed")


class DeploymentError(StrandlineError):
    """Raised when the CDK CLI fails: a template, a permission or a resource is refused."""


def run_cdk(arguments: Sequence[str], variables: Mapping[str, str], *, title: str, log: Path) -> None:
    """Runs `cdk`.

    Args:
        arguments: Its arguments.
        variables: Environment variables that point it at the right AWS.
        title: What the progress display says.
        log: File that keeps all of the output.

    Raises:
        DeploymentError: The CLI fails; the first lines of the message say why.
        EnvironmentFault: The CLI is not installed.
    """
    progress = _Progress(title)
    log.parent.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    with progress.live(), log.open("w") as file:
        process = _start(arguments, variables)
        for line in _lines(process):
            file.write(line + "\n")
            lines.append(line)
            progress.read(line)
        status = process.wait()
    if status:
        raise DeploymentError("\n".join([*explain_failure(lines), f"All of the output is in {log}."]))


def _start(arguments: Sequence[str], variables: Mapping[str, str]) -> subprocess.Popen[str]:
    cdk = _ROOT / "node_modules" / ".bin" / "cdk"
    if not cdk.exists():
        raise EnvironmentFault("The CDK CLI is not installed in node_modules: run `make setup`.")
    path = f"{node_bin()}{os.pathsep}{os.environ.get('PATH', '')}"
    settings = {"PATH": path, "CDK_DISABLE_CLI_TELEMETRY": "true", "JSII_NODE": str(node_bin() / "node")}
    return subprocess.Popen(
        [str(cdk), *arguments, "--no-notices", "--no-color"],
        cwd=_ROOT,
        env={**os.environ, **variables, **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _lines(process: subprocess.Popen[str]) -> Iterator[str]:
    for line in process.stdout or ():
        yield _COLOURS.sub("", line.rstrip())


class _Progress:
    """What becomes of each stack, from the lines that the CDK CLI prints: a live table, or a line for each change."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._stacks: dict[str, str] = {}

    def live(self) -> AbstractContextManager[object]:
        """The display for as long as the CLI runs."""
        if not stderr.is_terminal:
            stderr.print(self._title, highlight=False)
            return nullcontext()
        from rich.live import Live

        return Live(console=stderr, get_renderable=self._table, refresh_per_second=8)

    def read(self, line: str) -> None:
        """Learns from one line of output."""
        if found := _DEPLOYING.match(line):
            self._learn(found["stack"], "deploying")
        elif found := _DONE.match(line):
            self._learn(found["stack"], "unchanged" if found["unchanged"] else "deployed")
        elif found := _FAILED.match(line):
            self._learn(found["stack"], "failed")

    def _learn(self, stack: str, state: str) -> None:
        self._stacks[stack] = state
        if not stderr.is_terminal and state != "deploying":
            stderr.print(f"  {stack}: {state}", highlight=False)

    def _table(self) -> Table:
        from rich.spinner import Spinner
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        running = "deploying" in self._stacks.values() or not self._stacks
        table.add_row(Spinner("dots", self._title) if running else Text(self._title))
        for stack, state in self._stacks.items():
            table.add_row(Text(f"  {stack}"), Text(state, style=_STYLES[state]))
        return table


_STYLES = {"deployed": "green", "unchanged": "green", "failed": "red", "deploying": "yellow"}
