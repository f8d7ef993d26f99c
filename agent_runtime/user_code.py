"""The user's own code: `blueprints/tools/`, packaged as `user_tools/` at the root of the code artefact.

Its folder stands last on the module path, at synth's check as at run time, so a module has the same dotted name in both
and cannot take the place of a library's.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import InputError
from agent_runtime.output_schemas import is_class_reference

if TYPE_CHECKING:
    from agent_runtime.blueprint import Blueprint

FOLDER = "user_tools"
"""Name of the folder in the code artefact."""
ROOT = Path(__file__).resolve().parent.parent
"""Root of the code artefact when this is packaged."""
USER_CODE = ROOT / FOLDER


def needs_user_code(blueprint: Blueprint) -> bool:
    """Tells whether an agent runs code or packages of the user, which the plain artefact does not hold.

    Args:
        blueprint: The agent.

    Returns:
        Whether its artefact is one with the user's code.
    """
    own_tool = any(tool.python or tool.builtin or (tool.mcp and tool.mcp.command) for tool in blueprint.tools)
    return own_tool or is_class_reference(blueprint.output_schema or "")


def load_object(reference: str, folder: Path = USER_CODE) -> Any:
    """Imports what a blueprint names as `module:name`.

    Args:
        reference: The reference.
        folder: Where the user's code lies.

    Returns:
        What stands there.

    Raises:
        InputError: The module does not import, or has no such name; tells the place, never what a library said.
    """
    module_name, _, name = reference.partition(":")
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise InputError(f"{reference} cannot be used: {_why(error, folder)}.") from error
    found = getattr(module, name, None)
    if found is None:
        raise InputError(f"{reference} cannot be used: the module {module_name} has no {name}.")
    return found


def _why(error: Exception, folder: Path) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"there is no module {error.name}; packages are named in blueprints/requirements.txt"
    own = [step for step in traceback.extract_tb(error.__traceback__) if Path(step.filename).is_relative_to(folder)]
    place = f" at {Path(own[-1].filename).relative_to(folder)}:{own[-1].lineno}" if own else ""
    return f"its import fails with {type(error).__name__}{place}"
