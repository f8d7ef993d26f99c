"""What a blueprint names of the user's code stands there: read, not run.

At synth nothing of the user's code may run in the process that holds the credentials of the deployment.
"""

from __future__ import annotations

import ast
import re
import sys
from functools import partial
from typing import TYPE_CHECKING

from agent_runtime.files import KIB, FileFault, decode_utf8, read_inside
from agent_runtime.output_schemas import is_class_reference
from agent_runtime.suggestions import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from agent_runtime.blueprint import Blueprint
    from agent_runtime.errors import Problem
    from agent_runtime.yaml_nodes import Document
    from agent_runtime.yaml_nodes import Path as NodePath

TOOLS = "tools"
REQUIREMENTS = "requirements.txt"
BUILTINS = "strands-agents-tools"

_MAX_SOURCE_BYTES = 1024 * KIB
_MAX_REQUIREMENTS_BYTES = 64 * KIB
# Found before the user's own: AgentCore starts `main.py` beside our packages.
_TAKEN = frozenset({"main", "agent_runtime", "user_tools", "strands", *sys.stdlib_module_names})
_PYTHON = ("python", "python3")
_NAME = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)", re.MULTILINE)


class UserSources:
    """The user's code as text; each file is read once in a run.

    Args:
        root: The blueprints folder, which holds `tools` and `requirements.txt`.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._modules: dict[str, _Module] = {}

    def problems(self, blueprint: Blueprint, document: Document) -> list[Problem]:
        """Finds what a blueprint names and the user's code does not hold.

        Args:
            blueprint: The blueprint.
            document: Its file, which a problem points at.

        Returns:
            The problems.
        """
        found: list[Problem] = []
        for path, check in self._checks(blueprint):
            try:
                check()
            except FileFault as fault:
                found.append(document.problem(path, fault.message, fault.hint))
        return found

    def _checks(self, blueprint: Blueprint) -> Iterator[tuple[NodePath, Callable[[], None]]]:
        for path, reference in class_references(blueprint):
            yield path, partial(self._check_class, reference)
        for index, tool in enumerate(blueprint.tools):
            if tool.python:
                yield ("tools", index, "python"), partial(self._check_function, tool.python)
            elif tool.builtin:
                yield ("tools", index, "builtin"), partial(self._check_builtin, tool.builtin)
            elif tool.mcp and tool.mcp.command:
                yield ("tools", index, "mcp", "command"), partial(self._check_command, *tool.mcp.command)

    def _check_function(self, reference: str) -> None:
        module, name = self._find(reference)
        if module.is_plain_function(name):
            raise FileFault(
                f"{reference} is no tool: {module.file}:{module.line_of(name)} has no decorator",
                "write @tool above it, with from strands import tool",
            )

    def _check_class(self, reference: str) -> None:
        module, name = self._find(reference)
        if module.is_function(name):
            raise FileFault(f"{reference} is a function, and no class", "name a class of pydantic.BaseModel")

    def _check_builtin(self, name: str) -> None:
        names = {found.lower().replace("_", "-").replace(".", "-") for found in _NAME.findall(self._requirements())}
        if BUILTINS not in names:
            raise FileFault(
                f"the tool {name} is of the package {BUILTINS}, which {self._root / REQUIREMENTS} does not name",
                f"add {BUILTINS} to {REQUIREMENTS}",
            )

    def _check_command(self, program: str, *arguments: str) -> None:
        if program not in _PYTHON:
            raise FileFault(f"AgentCore has no {program}: its machines have Python only", "write [python, -m, module]")
        if len(arguments) > 1 and arguments[0] == "-m":
            if not self._exists(arguments[1]) and not self._requirements():
                raise self._no_module(arguments[1])
        elif arguments and arguments[0].endswith(".py"):
            read_inside(self._root / TOOLS, *arguments[0].split("/"), limit=_MAX_SOURCE_BYTES)

    def _find(self, reference: str) -> tuple[_Module, str]:
        module_name, _, name = reference.partition(":")
        top = module_name.partition(".")[0]
        if top in _TAKEN:
            raise FileFault(f"the name {top} belongs to another module", "give the file another name")
        module = self._module(module_name)
        if not module.may_have(name):
            guess = nearest(name, module.names)
            raise FileFault(
                f"{module.file} has no {name}", f"did you mean {module_name}:{guess}?" if guess else "write it there"
            )
        return module, name

    def _module(self, name: str) -> _Module:
        if name not in self._modules:
            for steps in _files_of(name):
                try:
                    content = read_inside(self._root / TOOLS, *steps, limit=_MAX_SOURCE_BYTES)
                except FileFault as fault:
                    if "no such file" in fault.message or "a file or" in fault.message:
                        continue
                    raise
                self._modules[name] = _Module("/".join((TOOLS, *steps)), decode_utf8(content))
                break
            else:
                raise self._no_module(name)
        return self._modules[name]

    def _exists(self, name: str) -> bool:
        return any((self._root / TOOLS).joinpath(*steps).is_file() for steps in _files_of(name))

    def _no_module(self, name: str) -> FileFault:
        folder = self._root / TOOLS
        known = [path.stem for path in folder.glob("*.py")] if folder.is_dir() else []
        guess = nearest(name, known)
        hint = f"did you mean {guess}?" if guess else f"write {folder / name.replace('.', '/')}.py"
        return FileFault(f"there is no module {name} in {folder}", hint)

    def _requirements(self) -> str:
        try:
            return decode_utf8(read_inside(self._root, REQUIREMENTS, limit=_MAX_REQUIREMENTS_BYTES))
        except FileFault as fault:
            if "no such file" in fault.message:
                return ""
            raise


def class_references(blueprint: Blueprint) -> Iterator[tuple[NodePath, str]]:
    """Gives the schemas of a blueprint that are classes in the user's code, each with its place."""
    if is_class_reference(blueprint.output_schema or ""):
        yield ("output_schema",), str(blueprint.output_schema)
    for index, check in enumerate(blueprint.checks):
        if is_class_reference(check.output_schema or ""):
            yield ("checks", index, "output_schema"), str(check.output_schema)


class _Module:
    """What stands at the top of a module."""

    def __init__(self, file: str, source: str) -> None:
        self.file = file
        try:
            tree = ast.parse(source)
        except SyntaxError as error:
            raise FileFault(f"{file}:{error.lineno or 1}: {error.msg}", "mend the Python") from None
        except (ValueError, RecursionError, MemoryError):
            raise FileFault(f"{file} is no Python that can be read", "mend the Python") from None
        self._bound: dict[str, ast.stmt] = {}
        self._opaque = False
        self._read(tree.body)

    @property
    def names(self) -> list[str]:
        """What the module binds."""
        return list(self._bound)

    def may_have(self, name: str) -> bool:
        """Whether the module binds a name, as far as can be seen."""
        return self._opaque or name in self._bound

    def line_of(self, name: str) -> int:
        """The line where a name is bound."""
        return self._bound[name].lineno

    def is_function(self, name: str) -> bool:
        """Whether a name is certainly a function, decorated or not."""
        return isinstance(self._bound.get(name), ast.FunctionDef | ast.AsyncFunctionDef)

    def is_plain_function(self, name: str) -> bool:
        """Whether a name is certainly a function that nothing decorates."""
        found = self._bound.get(name)
        return isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef) and not found.decorator_list

    def _read(self, body: list[ast.stmt]) -> None:
        for statement in body:
            for name in _names_of(statement):
                self._opaque = self._opaque or name == "*"
                self._bound[name] = statement
            for block in ("body", "orelse", "finalbody"):
                if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    self._read(getattr(statement, block, []))
            for handler in getattr(statement, "handlers", []):
                self._read(handler.body)


def _names_of(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        for alias in statement.names:
            yield alias.asname or alias.name.partition(".")[0]
    elif isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for target in targets:
            yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))


def _files_of(module: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    *folders, last = module.split(".")
    return (*folders, f"{last}.py"), (*folders, last, "__init__.py")
