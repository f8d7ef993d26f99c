"""Finds what a package does while it is imported and must not: its result would be frozen into the snapshot.

    python -m tests.snapshot.import_time agent_runtime

Looks at all code that an import runs: the top of modules, bodies of classes, arguments' defaults, decorators, and the
package's own functions and classes that are called from there, however deep. `make lint` runs it.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FORBIDDEN = {
    "a clock": (
        "time",
        "datetime.datetime.now",
        "datetime.datetime.utcnow",
        "datetime.datetime.today",
        "datetime.date.today",
    ),
    "a random number": ("random", "secrets", "uuid", "os.urandom", "os.getrandom", "ssl.RAND_bytes", "tempfile"),
    "a connection": ("socket", "http.client", "urllib.request", "httpx", "httpx2", "requests", "urllib3"),
    "a client of AWS": ("boto3", "botocore"),
    "the environment": ("os.environ", "os.environb", "os.getenv", "os.getenvb", "os.path.expandvars"),
    "this host": ("platform", "os.uname", "os.getpid", "os.getppid", "getpass"),
    "a thread or process": ("threading.Thread", "threading.Timer", "subprocess", "multiprocessing", "os.fork"),
    "an event loop": ("asyncio.run", "asyncio.new_event_loop", "asyncio.get_event_loop"),
}
"""What is read or started, by the names of modules, all of whose functions are meant, or of single functions."""

# They hold nothing and ask nobody.
HARMLESS = (
    *("botocore.config.Config", "uuid.UUID", "uuid.uuid5", "uuid.uuid3"),
    *("httpx.Request", "httpx.Timeout", "httpx.URL", "httpx2.Timeout", "httpx2.URL", "time.strptime"),
)


@dataclass(frozen=True)
class Finding:
    """A place at which an import does what it must not.

    Attributes:
        place: `file:line`.
        what: What is read or started there.
        name: The function's full name.
        way: Own functions that lead there from the top of a module.
    """

    place: str
    what: str
    name: str
    way: tuple[str, ...] = ()

    def __str__(self) -> str:
        led = f" (called from {' > '.join(self.way)})" if self.way else ""
        return (
            f"{self.place}: {self.name} reads or starts {self.what} while the module is imported{led}: "
            "the snapshot of platform V2 would freeze it; do it in the request"
        )


@dataclass
class _Module:
    """A module of the package.

    Attributes:
        file: Its file.
        tree: Its code.
        names: What its imports call what.
        own: Its functions and classes.
    """

    file: Path
    tree: ast.Module
    names: dict[str, str] = field(default_factory=dict)
    own: dict[str, ast.AST] = field(default_factory=dict)


def findings(package: Path) -> list[Finding]:
    """Looks through a package.

    Args:
        package: Its folder.

    Returns:
        What its import must not do, by place.
    """
    return sorted(_Search(package).findings(), key=lambda finding: (finding.place, finding.name))


class _Search:
    def __init__(self, package: Path) -> None:
        self._root = package.parent
        self._modules = {_dotted(file, self._root): _read(file, self._root) for file in sorted(package.rglob("*.py"))}
        self._seen: set[tuple[str, str]] = set()

    def findings(self) -> Iterator[Finding]:
        for name, module in self._modules.items():
            yield from self._in(name, _run_by_import(module.tree.body), ())

    def _in(self, module: str, nodes: Iterator[ast.AST], way: tuple[str, ...]) -> Iterator[Finding]:
        for node in nodes:
            if isinstance(node, ast.Call):
                yield from self._called(module, node, self._full_name(module, node.func), way)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                # A decorator is called, also where it stands without parentheses.
                for decorator in node.decorator_list:
                    if not isinstance(decorator, ast.Call):
                        yield from self._called(module, decorator, self._full_name(module, decorator), way)
            elif isinstance(node, ast.Subscript | ast.Compare | ast.Starred | ast.For | ast.comprehension):
                yield from self._environment_in(module, node, way)

    def _called(self, module: str, node: ast.AST, name: str, way: tuple[str, ...]) -> Iterator[Finding]:
        what = _forbidden(name)
        if what:
            yield self._finding(module, node, what, name, way)
            return
        home, _, local = self._defined(name).rpartition(".")
        if home not in self._modules or local not in self._modules[home].own or (home, local) in self._seen:
            return
        self._seen.add((home, local))
        step = f"{self._place(module, node)} {local}"
        yield from self._in(home, _run_by_call(self._modules[home].own[local]), (*way, step))

    def _defined(self, name: str) -> str:
        """Where a name of the package comes from that one of its modules only passes on."""
        home, _, local = name.rpartition(".")
        while home in self._modules and local in self._modules[home].names:
            home, _, local = self._modules[home].names[local].rpartition(".")
        return f"{home}.{local}"

    def _environment_in(self, module: str, node: ast.AST, way: tuple[str, ...]) -> Iterator[Finding]:
        """What reads the environment without a call."""
        read: list[ast.expr] = []
        if isinstance(node, ast.Subscript):
            read = [node.value] if isinstance(node.ctx, ast.Load) else []
        elif isinstance(node, ast.Compare):
            read = node.comparators
        elif isinstance(node, ast.Starred):
            read = [node.value]
        elif isinstance(node, ast.For | ast.comprehension):
            read = [node.iter]
        for part in read:
            name = self._full_name(module, part)
            if name in FORBIDDEN["the environment"]:
                yield self._finding(module, part, "the environment", name, way)

    def _finding(self, module: str, node: ast.AST, what: str, name: str, way: tuple[str, ...]) -> Finding:
        return Finding(self._place(module, node), what, name, way)

    def _place(self, module: str, node: ast.AST) -> str:
        return f"{self._modules[module].file.relative_to(self._root)}:{getattr(node, 'lineno', 0)}"

    def _full_name(self, module: str, node: ast.AST) -> str:
        """`datetime.datetime.now` of whatever the module calls it; of a call's result, the name of what was called."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute | ast.Call):
            if isinstance(node, ast.Attribute):
                parts.insert(0, node.attr)
                node = node.value
            else:
                node = node.func
        if not isinstance(node, ast.Name):
            return ""
        known = self._modules[module]
        first = f"{module}.{node.id}" if node.id in known.own else known.names.get(node.id, node.id)
        return ".".join([first, *parts])


def _forbidden(name: str) -> str | None:
    if name in HARMLESS:
        return None
    return next(
        (
            what
            for what, places in FORBIDDEN.items()
            if any(name == place or name.startswith(f"{place}.") for place in places)
        ),
        None,
    )


def _dotted(file: Path, root: Path) -> str:
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _read(file: Path, root: Path) -> _Module:
    module = _Module(file, ast.parse(file.read_text(), str(file)))
    package = _dotted(file, root).split(".")[: None if file.name == "__init__.py" else -1]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                module.names[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            home = ".".join([*above, *([node.module] if node.module else [])])
            module.names |= {alias.asname or alias.name: f"{home}.{alias.name}" for alias in node.names}
    for node in module.tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            module.own[node.name] = node
    return module


def _run_by_import(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """All that runs when these statements do: not what stands inside of functions."""
    waiting: list[ast.AST] = [*body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and _never_at_import(node.test):
            waiting += node.orelse
            continue
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = node.args
            waiting += [*node.decorator_list, *arguments.defaults, *filter(None, arguments.kw_defaults)]
        elif isinstance(node, ast.Lambda):
            waiting += [*node.args.defaults, *filter(None, node.args.kw_defaults)]
        elif isinstance(node, ast.AnnAssign):
            # The annotation is text to Python: each of our modules asks for that.
            waiting += [node.value] if node.value else []
        else:
            waiting += ast.iter_child_nodes(node)


def _run_by_call(node: ast.AST) -> Iterator[ast.AST]:
    """All that runs when a function is called, or an object of a class is made."""
    if isinstance(node, ast.ClassDef):
        for method in node.body:
            if isinstance(method, ast.FunctionDef) and method.name in ("__init__", "__new__", "__post_init__"):
                yield from _run_by_import(method.body)
            elif isinstance(method, ast.AnnAssign) and isinstance(method.value, ast.Call):
                yield from _factories(method.value)
    elif isinstance(node, ast.FunctionDef):
        yield from _run_by_import(node.body)
    # The body of a coroutine does not run when it is called.


def _factories(default: ast.Call) -> Iterator[ast.AST]:
    """The `default_factory` of a dataclass's field, as the call that it becomes."""
    for keyword in default.keywords:
        if keyword.arg == "default_factory":
            yield ast.copy_location(ast.Call(keyword.value, [], []), default)
            if isinstance(keyword.value, ast.Lambda):
                yield from _run_by_import([ast.copy_location(ast.Expr(keyword.value.body), default)])


def _never_at_import(test: ast.expr) -> bool:
    written = ast.unparse(test)
    return written.endswith("TYPE_CHECKING") or written in ("__name__ == '__main__'", "'__main__' == __name__")


def main() -> int:
    """Prints the findings in the packages that the command names.

    Returns:
        The exit code: 1 where there are any.
    """
    found = [finding for package in sys.argv[1:] for finding in findings(Path(package).resolve())]
    for finding in found:
        print(finding)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
