"""The one YAML reader of blueprints, environments.yaml and gateway.yaml: strict, bounded, and exact about places.

Works on PyYAML's events and builds the tree itself, without recursion. PyYAML's own loaders expand alias bombs, accept
recursive aliases, let the last of two equal keys win, and in C end the process on deep nesting.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import yaml

from agent_runtime.errors import InputError, Problem
from agent_runtime.files import KIB, FileFault, decode_utf8, read_inside
from agent_runtime.yaml_builder import MAX_NODES, Refusal, TreeBuilder
from agent_runtime.yaml_nodes import Document, Place

MAX_FILE_BYTES = 64 * KIB

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Line ends that YAML 1.1 knows and editors do not count: every place after one would be wrong.
_ODD_CHARACTERS = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")

_HINTS = {
    "mapping values are not allowed": "put a value that holds ': ' in quotes, and check the indentation",
    "could not find expected ':'": "write `key: value`, with a space after the colon",
    "did not find expected key": "check the indentation and the quotes of this line and the one before",
    "did not find expected ',' or": "close the bracket, or put a comma between items",
    "did not find expected '-' indicator": "indent every item of the list alike",
    "did not find expected node content": "close the bracket, or write the value",
    "unknown escape character": "use single quotes, or write \\\\ for a backslash",
    "unexpected end of stream": "close the quote or the bracket",
    "cannot start any token": "put the value in quotes",
    "undefined alias": "define the anchor before its alias",
}


def read_yaml(path: Path) -> Document:
    """Read a YAML file that the user names.

    Args:
        path: The file; it may not be a symbolic link.

    Returns:
        Its document.

    Raises:
        InputError: The file cannot be read, is not the YAML that we accept, or is not a mapping.
    """
    return read_yaml_inside(path.parent, path.name)


def read_yaml_inside(folder: Path, *steps: str) -> Document:
    """Read a YAML file below a folder, following no symbolic link.

    Args:
        folder: The folder.
        *steps: Names of the folders below it and, last, of the file.

    Returns:
        Its document.

    Raises:
        InputError: As for `read_yaml`.
    """
    file = os.fspath(folder.joinpath(*steps))
    try:
        content = read_inside(folder, *steps, limit=MAX_FILE_BYTES)
    except FileFault as fault:
        raise InputError(Problem(file, 1, 1, "", fault.message, fault.hint)) from None
    return parse_yaml(content, file)


def parse_yaml(content: bytes, file: str, *, times: int = 1) -> Document:
    """Parse the content of a YAML file.

    Args:
        content: The bytes.
        file: Path of the file as the user names it.
        times: How much larger than a person's file it may be: one that a command wrote for a thousand agents is.

    Returns:
        Its document.

    Raises:
        InputError: It is not the YAML that we accept, or not a mapping. Carries one problem: after a syntax error
            nothing can be said of the rest.
    """
    try:
        builder = _build(_text_of(content, times * MAX_FILE_BYTES), times * MAX_NODES)
        root = builder.finish()
    except Refusal as refusal:
        raise InputError(refusal.in_file(file)) from None
    return Document(file, root, tuple(fault.in_file(file) for fault in builder.faults))


def _text_of(content: bytes, max_bytes: int) -> str:
    if len(content) > max_bytes:
        raise Refusal(Place(1, 1), f"the file is larger than {max_bytes // KIB} KiB", "split it")
    try:
        text = decode_utf8(content)
    except FileFault as fault:
        raise Refusal(Place(fault.line, 1), fault.message, fault.hint) from None
    if odd := _ODD_CHARACTERS.search(text):
        line_start = text.rfind("\n", 0, odd.start()) + 1
        place = Place(text.count("\n", 0, odd.start()) + 1, odd.start() - line_start + 1)
        raise Refusal(place, f"the file holds the invisible character U+{ord(odd.group()):04X}", "remove it")
    return text


def _build(text: str, max_nodes: int) -> TreeBuilder:
    builder = TreeBuilder(max_nodes)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.feed(event)
    except yaml.YAMLError as error:
        raise _syntax_refusal(error, text) from None
    return builder


def _syntax_refusal(error: yaml.YAMLError, text: str) -> Refusal:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
    if _indented_by_tab(text, place):
        return Refusal(place, "the line is indented with a tab", "indent with spaces")
    problem = str(getattr(error, "problem", None) or "it cannot be read")
    hint = next((hint for part, hint in _HINTS.items() if part in problem), "check the indentation and the quotes")
    return Refusal(place, f"broken YAML: {problem}", hint)


def _indented_by_tab(text: str, place: Place) -> bool:
    lines = text.splitlines()
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    return "\t" in line[: len(line) - len(line.lstrip())]
