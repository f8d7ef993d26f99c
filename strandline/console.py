"""Where a person reads: answers on standard output, everything about the way there on standard error."""

from __future__ import annotations

from rich.console import Console

stdout = Console()
stderr = Console(stderr=True)
