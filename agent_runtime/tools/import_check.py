"""Imports what blueprints name of the user's code, in a process of its own, and tells what failed.

Run as a program: the folder of the user's code, a file for the result, and the references, each with what it must be.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path

from agent_runtime.errors import InputError
from agent_runtime.structured_output import schema_of_class
from agent_runtime.structured_output.dialects import NotShownError, shown_in
from agent_runtime.tools.named_tools import load_function
from agent_runtime.user_code import load_object

MISSING = "missing:"
"""Starts the result for a module of which only the artefact may have the package."""


def check(reference: str, folder: Path) -> str | None:
    """Imports one reference.

    Args:
        reference: `tool=module:function`, or `class=module:Class` with the dialect of the model that is shown it:
            `class/claude=module:Class`.
        folder: Where the user's code lies.

    Returns:
        What is wrong, nothing when nothing is.
    """
    kind, _, name = reference.partition("=")
    try:
        if kind == "tool":
            load_function(name, folder)
        else:
            schema = schema_of_class(name, load_object(name, folder))
            shown_in(kind.partition("/")[2], schema.schema)
    except NotShownError as fault:
        return f"{name} cannot be shown to the model: {fault.message}; {fault.hint}."
    except InputError as error:
        cause = error.__cause__
        if isinstance(cause, ModuleNotFoundError) and not _is_own(cause.name or "", folder):
            return f"{MISSING}{cause.name}"
        return str(error)
    except BaseException as error:  # SystemExit too: the user's code may do anything
        return f"{name} cannot be used: its import ends with {type(error).__name__}."
    return None


def main(arguments: list[str]) -> None:
    """Checks what the arguments name.

    Args:
        arguments: The folder, the file for the result, the references.
    """
    folder, result, *references = arguments
    # What the user's code prints is not the result.
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        found = {reference: check(reference, Path(folder)) for reference in references}
    Path(result).write_text(json.dumps(found))


def _is_own(module: str, folder: Path) -> bool:
    top = module.partition(".")[0]
    return (folder / f"{top}.py").exists() or (folder / top).is_dir()


if __name__ == "__main__":
    main(sys.argv[1:])
