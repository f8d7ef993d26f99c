"""What every benchmark does with its figures: a table for people, a JSON file for comparison."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass
class Report:
    """The figures of one benchmark.

    Attributes:
        name: Name of the benchmark and of its file.
        title: What was measured.
        columns: Key in a row to heading of its column.
        rows: The figures.
        notes: What a reader has to know, or the verdict.
    """

    name: str
    title: str
    columns: dict[str, str]
    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def publish(self) -> Path:
        """Prints the table and writes the file.

        Returns:
            The file.
        """
        table = Table(title=self.title)
        for key, heading in self.columns.items():
            numeric = any(isinstance(row.get(key), int | float) for row in self.rows)
            table.add_column(heading, justify="right" if numeric else "left")
        for row in self.rows:
            table.add_row(*(_text(row.get(key)) for key in self.columns))
        console = Console(width=None if os.isatty(1) else 140)
        console.print(table)
        for note in self.notes:
            console.print(note, highlight=False)
        RESULTS.mkdir(exist_ok=True)
        file = RESULTS / f"{self.name}.json"
        document = {"title": self.title, "machine": _machine(), "rows": self.rows, "notes": self.notes}
        file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        return file


def _text(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[1], 1),  # others' work on this machine is in the seconds, not in CPU s
        "architecture": platform.machine(),
        "python": platform.python_version(),
    }
