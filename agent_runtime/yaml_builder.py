"""Builds a document's tree from YAML events, within bounds.

What makes the file unreadable is raised; what is wrong in one place only is kept in `faults`, so that one run shows it
together with what the schema finds.
"""

from __future__ import annotations

from typing import Any

import yaml

from agent_runtime.errors import Problem
from agent_runtime.quoting import shown
from agent_runtime.yaml_nodes import MappingNode, Node, Place, ScalarNode, SequenceNode
from agent_runtime.yaml_scalars import has_leading_zero, resolve

MAX_DEPTH = 20
MAX_NODES = 10_000


class Refusal(Exception):
    """Raised when a file is not the YAML that we accept.

    Attributes:
        place: Where.
        message: What is wrong.
        hint: How to mend it.
    """

    def __init__(self, place: Place, message: str, hint: str) -> None:
        self.place = place
        self.message = message
        self.hint = hint
        super().__init__(message)

    def in_file(self, file: str) -> Problem:
        """Make the problem of a file."""
        return Problem(file, self.place.line, self.place.column, "", self.message, self.hint)


class _Open:
    """A list or mapping whose end has not been seen."""

    __slots__ = ("anchor", "key", "node")

    def __init__(self, node: SequenceNode | MappingNode, anchor: str | None) -> None:
        self.node = node
        self.anchor = anchor
        self.key: tuple[str, Place] | None = None


class TreeBuilder:
    """Takes the events of one document and gives its root.

    Args:
        max_nodes: Most values that the document may hold, with its aliases expanded.
    """

    def __init__(self, max_nodes: int = MAX_NODES) -> None:
        self._max_nodes = max_nodes
        self.faults: list[Refusal] = []
        self._root: Node | None = None
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._size = 0
        self._documents = 0
        self._handlers = {
            yaml.DocumentStartEvent: self._start_document,
            yaml.ScalarEvent: self._scalar,
            yaml.AliasEvent: self._alias,
            yaml.SequenceStartEvent: self._start_collection,
            yaml.MappingStartEvent: self._start_collection,
            yaml.SequenceEndEvent: self._end_collection,
            yaml.MappingEndEvent: self._end_collection,
        }

    def feed(self, event: yaml.Event) -> None:
        """Take the next event.

        Args:
            event: An event of PyYAML.

        Raises:
            Refusal: The document leaves the bounds, or holds what we do not accept.
        """
        handler = self._handlers.get(type(event))
        if handler:
            handler(event)

    def finish(self) -> MappingNode:
        """Return the root.

        Raises:
            Refusal: There is no document, or it is not a mapping.
        """
        root = self._root
        hint = "write `key: value` lines"
        if root is None or (isinstance(root, ScalarNode) and root.value is None):
            raise Refusal(Place(1, 1), "the file is empty", hint)
        if not isinstance(root, MappingNode):
            kind = "a list" if isinstance(root, SequenceNode) else "a single value"
            raise Refusal(root.place, f"the file holds {kind}, not a mapping", hint)
        return root

    def _start_document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            raise Refusal(_place(event), "a second document starts here", "keep one document in a file")
        if event.version or event.tags:
            raise Refusal(_place(event), "the file starts with a % directive", "remove the line")

    def _scalar(self, event: Any) -> None:
        place = _place(event)
        self._refuse_tag(event, place)
        plain = event.implicit[0]  # the loaders in C and in Python disagree on the style of a plain scalar
        if self._is_key():
            self._take_key(event.value, place, plain=plain)
            self._count(place, 1)
            if event.anchor:
                self._anchors[event.anchor] = ScalarNode(place, event.value, event.value)
            return
        if plain and has_leading_zero(event.value):
            number = event.value.lstrip("+-0") or "0"
            hint = f'write "{event.value}" in quotes for a text, {number} for a number'
            if "-" in event.value:
                hint = "write it in quotes for a text, without the zeros for a number"
            self.faults.append(Refusal(place, "a number may not start with a zero", hint))
        node = ScalarNode(place, event.value, resolve(event.value) if plain else event.value)
        self._count(place, 1)
        self._attach(node)
        if event.anchor:
            self._anchors[event.anchor] = node

    def _alias(self, event: Any) -> None:
        place = _place(event)
        if self._is_key():
            raise Refusal(place, "an alias stands where a key belongs", "write the key itself")
        if any(frame.anchor == event.anchor for frame in self._open):
            raise Refusal(place, f"the alias *{event.anchor} stands inside its own anchor", "remove it")
        target = self._anchors.get(event.anchor)
        if target is None:
            raise Refusal(place, f"the alias *{event.anchor} has no anchor", "define the anchor before its alias")
        self._check_depth(place, target.height)
        self._count(place, target.size)
        self._attach(target)

    def _start_collection(self, event: Any) -> None:
        place = _place(event)
        if self._is_key():
            raise Refusal(place, "a list or mapping stands where a key belongs", "write the key as plain text")
        self._refuse_tag(event, place)
        self._check_depth(place, 1)
        self._count(place, 1)
        node = SequenceNode(place) if isinstance(event, yaml.SequenceStartEvent) else MappingNode(place)
        self._open.append(_Open(node, event.anchor))

    def _end_collection(self, _event: Any) -> None:
        frame = self._open.pop()
        # Attached only now, when its size is final: whoever aliases it must know what the alias expands to.
        self._attach(frame.node)
        if frame.anchor:
            self._anchors[frame.anchor] = frame.node

    def _is_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].node, MappingNode) and self._open[-1].key is None

    def _take_key(self, text: str, place: Place, *, plain: bool) -> None:
        frame = self._open[-1]
        # The exact text, also of a number: a model may be called 4.1.
        frame.key = (text, place)
        if plain and text == "<<":
            hint = "repeat the keys, or alias the whole mapping"
            self.faults.append(Refusal(place, "merge keys (<<) are not part of YAML 1.2", hint))
        elif plain and not text:
            self.faults.append(Refusal(place, "a key is missing before the colon", "write `key: value`"))

    def _attach(self, node: Node) -> None:
        if not self._open:
            self._root = node
            return
        frame = self._open[-1]
        parent = frame.node
        parent.size += node.size
        parent.height = max(parent.height, node.height + 1)
        if isinstance(parent, SequenceNode):
            parent.items.append(node)
        elif frame.key is not None:
            self._add_entry(parent, *frame.key, node)
            frame.key = None

    def _add_entry(self, parent: MappingNode, key: str, place: Place, node: Node) -> None:
        if key in parent.entries:
            first = parent.entries[key][0].line
            message = f"the key {shown(key)} stands twice, on line {first} and line {place.line}"
            self.faults.append(Refusal(place, message, "keep one of the two"))
        elif key != "<<":
            parent.entries[key] = (place, node)

    def _refuse_tag(self, event: Any, place: Place) -> None:
        if event.tag is not None:
            self.faults.append(Refusal(place, "tags (!...) are not accepted", "remove the tag; quotes make a text"))

    def _check_depth(self, place: Place, height: int) -> None:
        if len(self._open) + height > MAX_DEPTH:
            raise Refusal(place, f"the file nests deeper than {MAX_DEPTH} levels", "make it flatter")

    def _count(self, place: Place, size: int) -> None:
        self._size += size
        if self._size > self._max_nodes:
            message = f"the file holds more than {self._max_nodes:,} values with its aliases expanded"
            raise Refusal(place, message, "make it smaller")


def _place(event: Any) -> Place:
    mark = event.start_mark
    return Place(mark.line + 1, mark.column + 1)
