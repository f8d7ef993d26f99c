"""Tools that the blueprint names one by one: functions of the user, and those of the package strands_tools."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

from agent_runtime.errors import InputError
from agent_runtime.user_code import load_object

if TYPE_CHECKING:
    from pathlib import Path

    from strands.types.tools import AgentTool

    from agent_runtime.blueprint_blocks import Tool

_PACKAGE = "strands_tools"
_ADD = "add strands-agents-tools to blueprints/requirements.txt"


def load_named_tool(tool: Tool, folder: Path) -> list[AgentTool]:
    """Resolves a tool that is a function.

    Args:
        tool: What the blueprint says.
        folder: Where the user's code lies.

    Returns:
        The tool; several, where a module of strands_tools brings several. None for a server of tools.

    Raises:
        InputError: There is no such tool.
    """
    if tool.python:
        return [load_function(tool.python, folder)]
    return load_builtin(tool.builtin) if tool.builtin else []


def load_function(reference: str, folder: Path) -> AgentTool:
    """Imports a function of the user.

    Args:
        reference: `module:function`.
        folder: Where the user's code lies.

    Returns:
        The tool.

    Raises:
        InputError: It does not import, or is no tool.
    """
    from strands.types.tools import AgentTool

    found = load_object(reference, folder)
    if not isinstance(found, AgentTool):
        raise InputError(f"{reference} is no tool: decorate it with @strands.tool.")
    return found


def load_builtin(name: str) -> list[AgentTool]:
    """Imports a tool of strands_tools.

    Args:
        name: Name of its module.

    Returns:
        The tools that the module holds, mostly one.

    Raises:
        InputError: The package or the tool is missing, or a package that the tool needs.
    """
    from strands.tools.loader import load_tools_from_module

    # Whoever names a tool in the blueprint has agreed to its use, and nobody sits at a terminal to be asked.
    os.environ.setdefault("BYPASS_TOOL_CONSENT", "true")
    try:
        module = importlib.import_module(f"{_PACKAGE}.{name}")
        return list(load_tools_from_module(module, name))
    except ModuleNotFoundError as error:
        raise InputError(f"builtin {name} cannot be used: {_missing(name, error.name or '')}.") from error
    except Exception as error:
        raise InputError(f"builtin {name} cannot be used: its import fails with {type(error).__name__}.") from error


def _missing(name: str, module: str) -> str:
    if module == _PACKAGE:
        return f"the package strands-agents-tools is not installed; {_ADD}"
    if module == f"{_PACKAGE}.{name}":
        return "strands-agents-tools has no such tool"
    return f"it needs the package {module}; {_ADD.replace('strands-agents-tools', f'strands-agents-tools[{name}]')}"
