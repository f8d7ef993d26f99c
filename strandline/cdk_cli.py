"""Runs the pinned CDK CLI and shows its progress as one live table."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from agent_runtime.errors import EnvironmentFault, StrandlineError
from strandline.console import stderr
from strandline.toolchain import node_bin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_ROOT = Path(__file__).resolve().parent.parent
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_STACK_LINE = re.compile(r"^(?:[✅❌⚠️ ]*\s*)(?P<stack>[A-Z][A-Za-z]+-[A-Za-z0-9-]+)(?: \([^)]*\))?(?P<rest>.*)$")
_TAIL = 40


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
        DeploymentError: The CLI fails; the message holds the end of its output.
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
        raise DeploymentError(_reason(lines, log))


def _start(arguments: Sequence[str], variables: Mapping[str, str]) -> subprocess.Popen[str]:
    cdk = _ROOT / "node_modules" / ".bin" / "cdk"
    if not cdk.exists():
        raise EnvironmentFault("The CDK CLI is not installed in node_modules: run `make setup`.")
    path = f"{node_bin()}{os.pathsep}{os.environ.get('PATH', '')}"
    settings = {"PATH": path, "CDK_DISABLE_CLI_TELEMETRY": "true", "JSII_NODE": str(node_bin() / "node")}
    return subprocess.Popen(  # noqa: S603 - the pinned CLI with our own arguments
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


def _reason(lines: Sequence[str], log: Path) -> str:
    """The lines that say why: what CloudFormation called failed, or else the end of the output."""
    failed = [line.strip() for line in lines if re.search(r"_FAILED|❌|[Ee]rror:|ValidationFailed", line)]
    said = list(dict.fromkeys(failed)) or [line for line in lines if line.strip()]
    return "\n".join([*said[-_TAIL:], f"All of the output is in {log}."])


class _Progress:
    """A table of stacks and what becomes of them, from the lines that the CDK CLI prints."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._stacks: dict[str, str] = {}

    def live(self) -> Live:
        """The display, live on a terminal and still elsewhere."""
        from rich.live import Live

        self._live = Live(console=stderr, get_renderable=self._table, refresh_per_second=8, transient=False)
        return self._live

    def read(self, line: str) -> None:
        """Learns from one line of output."""
        found = _STACK_LINE.match(line)
        if found:
            self._stacks[found["stack"]] = "done" if "✅" in line else "failed" if "❌" in line else "deploying"

    def _table(self) -> Table:
        from rich.spinner import Spinner
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        running = "deploying" in self._stacks.values() or not self._stacks
        table.add_row(Spinner("dots", self._title) if running else Text(self._title))
        styles = {"done": "green", "failed": "red", "deploying": "yellow"}
        for stack, state in self._stacks.items():
            table.add_row(Text(f"  {stack}"), Text(state, style=styles[state]))
        return table


if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table
