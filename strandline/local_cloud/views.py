"""How a status looks on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from strandline.local_cloud.cloud import CloudStatus

_TABLES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Stacks", "stacks", ("account", "name", "status")),
    ("ECS services", "services", ("account", "name", "desired", "running", "deployments")),
    ("ECS tasks", "tasks", ("service", "id", "status", "health", "address", "pids")),
    ("Load balancers", "load_balancers", ("account", "name", "address", "ports")),
    ("AgentCore sessions", "sessions", ("runtime", "endpoint", "version", "session_id", "pid", "port", "idle_seconds")),
)


def print_status(status: CloudStatus, console: Console) -> None:
    """Print a line for the cloud and a table for each kind of thing that runs."""
    if not status.running:
        console.print("The local cloud is not running")
        return
    accounts = ", ".join(status.detail.get("accounts", [])) or "none yet"
    console.print(f"[bold]{status.url}[/bold]  process {status.pid}  accounts {accounts}", highlight=False)
    for title, key, columns in _TABLES:
        rows: Sequence[dict[str, Any]] = status.detail.get(key, [])
        if rows:
            console.print(_table(title, columns, rows))


def _table(title: str, columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column.replace("_", " "))
    for row in rows:
        table.add_row(*(_text(row.get(column)) for column in columns))
    return table


def _text(value: object) -> str:
    return ", ".join(str(member) for member in value) if isinstance(value, list) else str(value)
