"""What AgentCore takes of a code artefact (AgentCore quotas, "Direct code deployment")."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from agent_runtime.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stacks.packaging.archive import Entry

MAXIMUM_ZIP_BYTES = 250 * 1000 * 1000
MAXIMUM_UNPACKED_BYTES = 750 * 1000 * 1000
_SHOWN = 5


def check_size(entries: Iterable[Entry], zip_bytes: int | None) -> None:
    """Refuses an artefact that AgentCore would refuse, before anything is uploaded.

    Args:
        entries: The files.
        zip_bytes: Size of the zip; nothing where AWS would get a smaller one.

    Raises:
        InputError: It is too large; names what is the largest of it.
    """
    unpacked: Counter[str] = Counter()
    for entry in entries:
        unpacked[entry.name.partition("/")[0]] += entry.size
    total = unpacked.total()
    if (zip_bytes or 0) <= MAXIMUM_ZIP_BYTES and total <= MAXIMUM_UNPACKED_BYTES:
        return
    zipped = "" if zip_bytes is None else f"{zip_bytes / 1e6:.0f} MB zipped and "
    largest = ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in unpacked.most_common(_SHOWN))
    raise InputError(
        f"The code artefact has {zipped}{total / 1e6:.0f} MB unpacked, and AgentCore takes "
        f"{MAXIMUM_ZIP_BYTES / 1e6:.0f} MB and {MAXIMUM_UNPACKED_BYTES / 1e6:.0f} MB. The largest unpacked: {largest}. "
        "Take packages out of blueprints/requirements.txt and files out of blueprints/tools, or run the largest as a "
        "service of its own that the agent calls as an MCP server."
    )
