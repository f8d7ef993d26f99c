"""Files that a blueprint names without their folder and suffix: what is said of one that cannot be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_runtime.suggestions import nearest

if TYPE_CHECKING:
    from pathlib import Path

    from agent_runtime.errors import Problem
    from agent_runtime.files import FileFault
    from agent_runtime.yaml_nodes import Document
    from agent_runtime.yaml_nodes import Path as NodePath


def unusable(kind: str, file: Path, fault: FileFault, *, document: Document, at: NodePath) -> Problem:
    """Describe a named file that cannot be used, where the blueprint names it.

    Args:
        kind: What the file is, such as `prompt`.
        file: The file.
        fault: What is wrong with it.
        document: The blueprint.
        at: Where the blueprint names the file.

    Returns:
        The problem, with the nearest name of the folder if there is no file of this one.
    """
    where = f"{file}:{fault.line}" if fault.line > 1 else str(file)
    return document.problem(at, f"the {kind} cannot be used: {where}: {fault.message}", _hint(file, fault))


def _hint(file: Path, fault: FileFault) -> str:
    try:
        known = [path.stem for path in file.parent.iterdir() if path.suffix == file.suffix]
    except OSError:
        known = []
    guess = nearest(file.stem, known) if file.stem not in known else None
    return f"did you mean {guess}?" if guess else fault.hint
