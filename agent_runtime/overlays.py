"""What an environment changes: `environments.<name>` of a blueprint laid over the rest of it.

The trees are merged, not the values: every node keeps its place, so that an error in an overlay points into the
overlay's own lines.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agent_runtime.expansion import ExpansionFault, expand, holds_reference
from agent_runtime.yaml_nodes import Document, MappingNode, Path, ScalarNode, SequenceNode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from agent_runtime.errors import Problem
    from agent_runtime.yaml_nodes import Node

OVERLAYS = "environments"
EXPANDED: tuple[Path, ...] = (("model", "model_id"), ("model", "base_url"))
"""The fields in which `${VAR}` is expanded."""

_Places = frozenset[tuple[int, int]]


class EnvironmentView:
    """A blueprint's document as one environment sees it.

    Args:
        document: The document as read.
        environment: Name of the environment.
    """

    def __init__(self, document: Document, environment: str) -> None:
        self._environment = environment
        overlay = document.find((OVERLAYS, environment))
        entries = {key: entry for key, entry in document.root.entries.items() if key != OVERLAYS}
        root: Node = MappingNode(document.root.place, entries)
        self.is_overlaid = isinstance(overlay, MappingNode)
        if isinstance(overlay, MappingNode):
            root = _merged(root, overlay)
        self._own = frozenset(_places(overlay)) if overlay else frozenset[tuple[int, int]]()
        # The faults of the file are told once, with those of the document as read.
        self.document = Document(document.file, _mapping(root))

    def expand(self, variables: Mapping[str, str]) -> tuple[Problem, ...]:
        """Put the values of variables into the fields that are expanded.

        Args:
            variables: Values by name.

        Returns:
            What could not be expanded; such a field stays as it was.
        """
        problems: list[Problem] = []
        for path in EXPANDED:
            node = self.document.find(path)
            if not isinstance(node, ScalarNode) or not isinstance(node.value, str) or not holds_reference(node.value):
                continue
            try:
                value = expand(node.value, variables)
            except ExpansionFault as fault:
                problems.append(self.document.problem(path, fault.message, fault.hint))
            else:
                root = _replaced(self.document.root, path, ScalarNode(node.place, value, value))
                self.document = Document(self.document.file, _mapping(root))
        return tuple(problems)

    def told(self, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        """Say of problems in which environment they are."""
        return tuple(self._told(problem) for problem in problems)

    def _told(self, problem: Problem) -> Problem:
        if problem.file == self.document.file and (problem.line, problem.column) in self._own:
            path = f"{OVERLAYS}.{self._environment}.{problem.path}".removesuffix(".")
            return replace(problem, path=path)
        return replace(problem, message=f"in {self._environment}: {problem.message}")


def overlaid_environments(document: Document) -> tuple[str, ...]:
    """Return the environments that a document has overlays for, in the order of the file."""
    overlays = document.find((OVERLAYS,))
    if not isinstance(overlays, MappingNode):
        return ()
    return tuple(name for name, (_, node) in overlays.entries.items() if isinstance(node, MappingNode))


def _merged(base: Node, overlay: Node) -> Node:
    if not isinstance(base, MappingNode) or not isinstance(overlay, MappingNode):
        return overlay
    entries = dict(base.entries)
    for key, (place, node) in overlay.entries.items():
        entries[key] = (place, _merged(entries[key][1], node) if key in entries else node)
    return MappingNode(base.place, entries)


def _replaced(node: Node, path: Path, value: Node) -> Node:
    if not path or not isinstance(node, MappingNode):
        return value
    key = str(path[0])
    place, below = node.entries[key]
    return MappingNode(node.place, {**node.entries, key: (place, _replaced(below, path[1:], value))})


def _mapping(node: Node) -> MappingNode:
    if not isinstance(node, MappingNode):
        raise TypeError("a document's root is a mapping")
    return node


def _places(node: Node) -> Iterator[tuple[int, int]]:
    # Recursive without a guard, as in `Document.data`: the reader has bounded depth and size.
    yield node.place.line, node.place.column
    if isinstance(node, MappingNode):
        for place, below in node.entries.values():
            yield place.line, place.column
            yield from _places(below)
    elif isinstance(node, SequenceNode):
        for below in node.items:
            yield from _places(below)
