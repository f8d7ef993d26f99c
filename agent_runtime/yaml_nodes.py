"""A YAML document as a tree that remembers where everything stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import Problem

if TYPE_CHECKING:
    from agent_runtime.yaml_scalars import Scalar

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A line and a column, both from 1."""

    line: int
    column: int


@dataclass(slots=True)
class ScalarNode:
    """A text, number, boolean or null; `text` is what stands in the file, before its meaning is found."""

    place: Place
    text: str
    value: Scalar
    size: int = 1
    height: int = 0


@dataclass(slots=True)
class SequenceNode:
    """A list. `size` counts the nodes in it with aliases expanded, `height` the levels below it."""

    place: Place
    items: list[Node] = field(default_factory=list)
    size: int = 1
    height: int = 0


@dataclass(slots=True)
class MappingNode:
    """A mapping. Keys are texts; each has its place beside its value."""

    place: Place
    entries: dict[str, tuple[Place, Node]] = field(default_factory=dict)
    size: int = 1
    height: int = 0


Node = ScalarNode | SequenceNode | MappingNode


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file.

    Attributes:
        file: Path of the file as the user names it.
        root: The top-level mapping.
        faults: What is wrong in the file but did not keep it from being read, such as a key that stands twice.
    """

    file: str
    root: MappingNode
    faults: tuple[Problem, ...] = ()

    def data(self) -> dict[str, Any]:
        """Return the plain values, for a model to validate."""
        return {key: _plain(node) for key, (_, node) in self.root.entries.items()}

    def text_at(self, key: str) -> str | None:
        """Return the text of a top-level key, or nothing when it is missing or no text."""
        node = self.find((key,))
        return node.value if isinstance(node, ScalarNode) and isinstance(node.value, str) else None

    def find(self, path: Path) -> Node | None:
        """Return the node at a path, or nothing."""
        node: Node = self.root
        for step in path:
            below = _child(node, step)
            if below is None:
                return None
            node = below
        return node

    def value_place(self, path: Path) -> Place:
        """Return the place of a value or, when the path does not exist, of the nearest thing around it."""
        while (node := self.find(path)) is None:
            path = path[:-1]
        return node.place

    def key_place(self, path: Path) -> Place:
        """Return the place of the key that a path ends in; of the value when it ends in a list's item."""
        parent = self.find(path[:-1])
        if path and isinstance(parent, MappingNode) and path[-1] in parent.entries:
            return parent.entries[str(path[-1])][0]
        return self.value_place(path)

    def problem(self, path: Path, message: str, hint: str) -> Problem:
        """Make a problem that points at the value of a path."""
        place = self.value_place(path)
        return Problem(self.file, place.line, place.column, show_path(path), message, hint)


def show_path(path: Path) -> str:
    """Write a path as people do: `model.extra_headers_env.X-Team`, `tags[0]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")


def _child(node: Node, step: str | int) -> Node | None:
    if isinstance(node, MappingNode) and step in node.entries:
        return node.entries[str(step)][1]
    if isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.items):
        return node.items[step]
    return None


def _plain(node: Node) -> Any:
    # Recursive without a guard: the reader has bounded depth and size, aliases expanded.
    if isinstance(node, MappingNode):
        return {key: _plain(below) for key, (_, below) in node.entries.items()}
    if isinstance(node, SequenceNode):
        return [_plain(below) for below in node.items]
    return node.value
