"""The schemas folder: what `output_schema` names, when it names a file.

JSON Schema 2020-12 of an object, self-contained: nothing is fetched to read it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import InputError
from agent_runtime.files import KIB, FileFault, decode_utf8, read_inside
from agent_runtime.named_files import unusable

if TYPE_CHECKING:
    from pathlib import Path

    from agent_runtime.yaml_nodes import Document
    from agent_runtime.yaml_nodes import Path as NodePath

MAX_SCHEMA_BYTES = 64 * KIB
DIALECT = "https://json-schema.org/draft/2020-12/schema"

_SUFFIX = ".json"
_MAX_DEPTH = 50
_MEND = "write a JSON Schema 2020-12 of an object"


@dataclass(frozen=True, slots=True)
class OutputSchema:
    """A schema of the schemas folder.

    Attributes:
        name: Name of its file, without `.json`.
        schema: The schema.
        sha256: Hash of its canonical JSON, in hexadecimal: spaces and the order of keys make no difference.
    """

    name: str
    schema: Mapping[str, Any]
    sha256: str


def is_class_reference(ref: str) -> bool:
    """Tell whether an `output_schema` names a class in the user's code, and no file."""
    return ":" in ref


class SchemaFolder:
    """Reads schemas, each file once in a run: agents may share one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._schemas: dict[str, OutputSchema] = {}

    def read(self, name: str, document: Document, path: NodePath) -> OutputSchema:
        """Read a schema.

        Args:
            name: The schema's name, checked by the blueprint's schema.
            document: The blueprint that names it, which an error points at.
            path: Where the blueprint names it.

        Returns:
            The schema.

        Raises:
            InputError: The file is missing, too large or a link, is no JSON, or no JSON Schema 2020-12 of an object.
        """
        if name not in self._schemas:
            try:
                self._schemas[name] = self._load(name)
            except FileFault as fault:
                file = self._folder / (name + _SUFFIX)
                raise InputError(unusable("schema", file, fault, document=document, at=path)) from None
        return self._schemas[name]

    def _load(self, name: str) -> OutputSchema:
        text = decode_utf8(read_inside(self._folder, name + _SUFFIX, limit=MAX_SCHEMA_BYTES))
        schema = _parsed(text)
        _check_schema(schema)
        canonical = json.dumps(schema, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return OutputSchema(name, schema, hashlib.sha256(canonical.encode()).hexdigest())


def _parsed(text: str) -> dict[str, Any]:
    try:
        schema = json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise FileFault(f"broken JSON at column {error.colno}: {error.msg}", "mend the JSON", error.lineno) from None
    except RecursionError:
        raise FileFault("it nests too deep", "make it flatter") from None
    except ValueError as error:  # a number of thousands of digits
        raise FileFault("a number is out of range", "write a smaller one") from error
    if not isinstance(schema, dict):
        raise FileFault("it is not a mapping", _MEND)
    return schema


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise FileFault(f"the key {twice!r} stands twice in one object", "keep one of the two")
    return entries


def _no_constant(text: str) -> None:
    raise FileFault(f"{text} is not JSON", "write a finite number")


def _check_schema(schema: dict[str, Any]) -> None:
    for part in _parts(schema):
        reference = part.get("$ref", part.get("$dynamicRef", "#"))
        if isinstance(reference, str) and not reference.startswith("#"):
            raise FileFault("a $ref leads out of the file", "put the schema into $defs and refer to #/$defs/...")
    if str(schema.get("$schema", DIALECT)).rstrip("#") != DIALECT:
        raise FileFault("$schema is not that of JSON Schema 2020-12", f"write {DIALECT}, or leave it out")
    if schema.get("type") != "object":
        raise FileFault("it does not describe an object", 'write "type": "object" at the top: models answer with one')
    _check_against_dialect(schema)


def _parts(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    waiting: list[tuple[Any, int]] = [(schema, 1)]
    while waiting:
        part, depth = waiting.pop()
        if depth > _MAX_DEPTH:
            raise FileFault(f"it nests deeper than {_MAX_DEPTH} levels", "make it flatter")
        if isinstance(part, dict):
            yield part
            waiting += [(below, depth + 1) for below in part.values()]
        elif isinstance(part, list):
            waiting += [(below, depth + 1) for below in part]


def _check_against_dialect(schema: dict[str, Any]) -> None:
    # Imported only when an agent has a schema: it costs a tenth of a second.
    from jsonschema import Draft202012Validator, SchemaError  # type: ignore[import-untyped]

    try:
        Draft202012Validator.check_schema(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    except SchemaError as error:
        place = "/".join(map(str, error.absolute_path))
        where = f" at {place}" if place else ""
        raise FileFault(f"it is no JSON Schema{where}: {error.validator} is broken", _MEND) from None
