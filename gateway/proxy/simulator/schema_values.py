"""Values that fit a JSON Schema: what a simulated model answers where a schema is asked for.

The value is always the same for the same schema. It is made by the schema's words and then checked by `jsonschema`, so
that what is given out fits; a schema whose words contradict each other, or that needs a solver, gives none.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]
from jsonschema.exceptions import SchemaError  # type: ignore[import-untyped]
from jsonschema.validators import validator_for  # type: ignore[import-untyped]
from referencing.exceptions import Unresolvable

from gateway.proxy.simulator.patterns import matching_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Schema = Any
"""A JSON Schema: a mapping, true or false."""

_DEEPEST = 24
# So deep optional members are written; below, only what the schema requires, which ends recursive schemas.
_GENEROUS = 4
_MOST_CANDIDATES = 64
_FORMATS = {
    "date": "2026-01-{day:02d}",
    "date-time": "2026-01-{day:02d}T12:00:00Z",
    "time": "12:{day:02d}:00Z",
    "duration": "PT{day}H",
    "email": "simulated{day}@example.com",
    "idn-email": "simulated{day}@example.com",
    "hostname": "simulated{day}.example.com",
    "idn-hostname": "simulated{day}.example.com",
    "ipv4": "192.0.2.{day}",
    "ipv6": "2001:db8::{day}",
    "uri": "https://example.com/{day}",
    "uri-reference": "https://example.com/{day}",
    "iri": "https://example.com/{day}",
    "iri-reference": "https://example.com/{day}",
    "uri-template": "https://example.com/{day}",
    "uuid": "00000000-0000-4000-8000-{day:012d}",
    "json-pointer": "/simulated/{day}",
    "relative-json-pointer": "{day}",
    "regex": "simulated{day}",
}
_OF_TYPE = {
    "object": ("properties", "required", "additionalProperties", "patternProperties", "minProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "contains", "uniqueItems"),
    "string": ("minLength", "maxLength", "pattern", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
_NONE = object()


class NoValueError(ValueError):
    """No value could be made for a schema."""


def value_of(schema: Schema, name: str = "answer") -> Any:
    """Makes a value that fits a schema.

    Args:
        schema: The schema, with its `$defs`.
        name: What the value is, for the texts in it.

    Returns:
        The value; the same for the same schema.

    Raises:
        NoValueError: None could be made.
    """
    validator = _validator(schema)
    for generous in (_GENEROUS, 0):
        for value in itertools.islice(_Maker(schema, validator, generous).candidates(schema, name), _MOST_CANDIDATES):
            if _fits(validator, value):
                return value
    raise NoValueError("no value could be made for the schema")


def _validator(schema: Schema) -> Any:
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError:
        raise NoValueError("the schema is no valid JSON Schema") from None
    return kind(schema, format_checker=FormatChecker())


def _fits(validator: Any, value: Any) -> bool:
    try:
        return bool(validator.is_valid(value))
    except (Unresolvable, RecursionError):
        raise NoValueError("the schema refers to what it does not hold") from None


class _Maker:
    """Makes values by one schema's words."""

    def __init__(self, root: Schema, validator: Any, generous: int) -> None:
        self._root = root
        self._validator = validator
        self._generous = generous

    def candidates(self, schema: Schema, name: str, *, depth: int = 0, variant: int = 0) -> Iterator[Any]:
        """Gives values that should fit, the best first; those of another variant differ where they can."""
        if depth > _DEEPEST or schema is False:
            return
        if schema is True or schema == {}:
            yield _word(name, variant)
            return
        if not isinstance(schema, dict):
            return
        for plain in self._plain(schema, depth):
            yield from self._of_plain(plain, name, depth, variant)

    def _first(self, schema: Schema, name: str, depth: int, variant: int = 0) -> Any:
        """The first value of a part that fits the part by itself; `_NONE` where there is none."""
        # It knows the root, to which the part's references lead.
        validator = self._validator.evolve(schema=schema)
        candidates = self.candidates(schema, name, depth=depth, variant=variant)
        return next(
            (value for value in itertools.islice(candidates, _MOST_CANDIDATES) if _fits(validator, value)), _NONE
        )

    def _plain(self, schema: Mapping[str, Any], depth: int) -> Iterator[dict[str, Any]]:
        """Gives the schema without references and combinations: one for each way through its anyOf and oneOf."""
        schema = {key: value for key, value in schema.items() if key not in ("$defs", "definitions")}
        if "$ref" in schema:
            target = self._resolve(schema.pop("$ref"))
            if depth > _DEEPEST or target is False or target is None:
                return
            yield from self._plain(_merged(schema, {} if target is True else target), depth + 1)
            return
        for word in _COMBINATIONS:
            if word in schema:
                parts = schema.pop(word)
                choices = [parts] if word == "allOf" else [[part] for part in self._shallow_first(parts)]
                for chosen in choices:
                    merged = schema
                    for part in chosen:
                        merged = _merged(merged, {} if part is True else part) if part is not False else {"enum": []}
                    yield from self._plain(merged, depth + 1)
                return
        if "if" in schema:
            yield from self._conditional(schema, depth)
            return
        yield schema

    def _conditional(self, schema: dict[str, Any], depth: int) -> Iterator[dict[str, Any]]:
        condition, then, otherwise = (schema.pop(word, True) for word in ("if", "then", "else"))
        base = {} if condition is True else condition
        if condition is not False and then is not False:
            yield from self._plain(_merged(_merged(schema, base), {} if then is True else then), depth + 1)
        if otherwise is not False:
            yield from self._plain(_merged(schema, {} if otherwise is True else otherwise), depth + 1)

    def _shallow_first(self, parts: list[Schema]) -> list[Schema]:
        # A way that leads back into the schema comes last, so that recursion ends; null too, which says nothing.
        def weight(part: Schema) -> int:
            if isinstance(part, dict) and part.get("type") == "null":
                return 1
            return 2 if "$ref" in json.dumps(part) and len(parts) > 1 else 0

        return sorted(parts, key=weight)

    def _resolve(self, reference: str) -> Schema:
        if reference.startswith("#"):
            target: Any = self._root
            for step in reference[1:].split("/")[1:]:
                key = step.replace("~1", "/").replace("~0", "~").replace("%25", "%")
                target = target[int(key)] if isinstance(target, list) and key.isdecimal() else _member(target, key)
            return target
        return None

    def _of_plain(self, schema: dict[str, Any], name: str, depth: int, variant: int) -> Iterator[Any]:
        if "const" in schema:
            yield schema["const"]
            return
        if "enum" in schema:
            values = schema["enum"]
            yield from values[variant:] + values[:variant]
            return
        examples = [*schema.get("examples", ())[variant:], *([schema["default"]] if "default" in schema else [])]
        yield from examples
        for kind in _types(schema):
            yield from self._of_type(kind, schema, name, depth, variant)

    def _of_type(self, kind: str, schema: dict[str, Any], name: str, depth: int, variant: int) -> Iterator[Any]:
        if kind == "object":
            yield from self._objects(schema, depth, variant)
        elif kind == "array":
            yield from self._arrays(schema, name, depth, variant)
        elif kind == "string":
            yield from _texts(schema, name, variant)
        elif kind in ("integer", "number"):
            yield from _numbers(schema, kind == "integer", variant)
        elif kind == "boolean":
            yield from (True, False) if variant % 2 == 0 else (False, True)
        elif kind == "null":
            yield None

    def _objects(self, schema: dict[str, Any], depth: int, variant: int) -> Iterator[dict[str, Any]]:
        properties = schema.get("properties", {})
        required = list(schema.get("required", ()))
        value: dict[str, Any] = {}
        wanted = dict.fromkeys([*required, *(properties if depth < self._generous else ())])
        for member in wanted:
            made = self._first(self._schema_of_member(schema, member), member, depth + 1, variant)
            if made is not _NONE:
                value[member] = made
            elif member in required:
                return
        self._fill(schema, value, depth, variant)
        yield value
        yield {member: value[member] for member in required if member in value}

    def _schema_of_member(self, schema: dict[str, Any], member: str) -> Schema:
        fitting = [schema["properties"][member]] if member in schema.get("properties", {}) else []
        fitting += [part for pattern, part in schema.get("patternProperties", {}).items() if _found(pattern, member)]
        if not fitting:
            return schema.get("additionalProperties", True)
        return fitting[0] if len(fitting) == 1 else {"allOf": fitting}

    def _fill(self, schema: dict[str, Any], value: dict[str, Any], depth: int, variant: int) -> None:
        """Adds members for `minProperties` and `dependentRequired`."""
        for member, others in schema.get("dependentRequired", {}).items():
            for other in others if member in value else ():
                made = self._first(self._schema_of_member(schema, other), other, depth + 1, variant)
                if other not in value and made is not _NONE:
                    value[other] = made
        names = itertools.chain(
            (text for pattern in schema.get("patternProperties", {}) for text in _some_matching(pattern)),
            (f"member{number}" for number in range(1, schema.get("minProperties", 0) + 1)),
        )
        for member in (*schema.get("properties", {}), *names):
            if len(value) >= schema.get("minProperties", 0):
                return
            made = self._first(self._schema_of_member(schema, member), member, depth + 1, variant)
            if member not in value and made is not _NONE:
                value[member] = made

    def _arrays(self, schema: dict[str, Any], name: str, depth: int, variant: int) -> Iterator[list[Any]]:
        least, most = schema.get("minItems", 0), schema.get("maxItems", math.inf)
        prefix = schema.get("prefixItems", [])
        rest = schema.get("items", True)
        # Before 2020-12 a list of schemas stood in `items`.
        if isinstance(rest, list):
            prefix, rest = rest, schema.get("additionalItems", True)
        generous = depth < self._generous and ("items" in schema or "prefixItems" in schema)
        wanted = max(least, (len(prefix) or 1) if generous else 0)
        contains = schema.get("contains")
        if contains is not None:
            wanted = max(wanted, schema.get("minContains", 1))
        value = self._items(schema, prefix, rest, name, min(wanted, most), depth, variant)
        if contains is not None and not prefix:
            count = max(1, schema.get("minContains", 1))
            both = contains if rest is True else {"allOf": [contains, rest]}
            made = [self._first(both, name, depth + 1, variant + number) for number in range(count)]
            yield [item for item in made if item is not _NONE] + value[count:]
        if len(value) >= least:
            yield value
        if not least:
            yield []

    def _items(
        self,
        schema: dict[str, Any],
        prefix: list[Schema],
        rest: Schema,
        name: str,
        count: float,
        depth: int,
        variant: int,
    ) -> list[Any]:
        value: list[Any] = []
        number = 0
        # An array of different things may have to try more often than it has places.
        while len(value) < count and number < count * 4 + 8:
            part = prefix[len(value)] if len(value) < len(prefix) else rest
            made = self._first(part, name, depth + 1, variant + number)
            number += 1
            if made is _NONE:
                break
            if schema.get("uniqueItems") and any(_same(made, other) for other in value):
                continue
            value.append(made)
        return value


def _types(schema: dict[str, Any]) -> list[str]:
    told = schema.get("type")
    if isinstance(told, list):
        return sorted(told, key=lambda kind: kind == "null")
    if told is not None:
        return [told]
    implied = [kind for kind, words in _OF_TYPE.items() if any(word in schema for word in words)]
    return implied or ["string", "object", "integer", "null"]


def _texts(schema: dict[str, Any], name: str, variant: int) -> Iterator[str]:
    least, most = schema.get("minLength", 0), schema.get("maxLength", math.inf)
    if "pattern" in schema:
        yield from matching_texts(schema["pattern"], shortest=least, variant=variant)
        yield from (
            text for other in range(1, 6) for text in matching_texts(schema["pattern"], variant=variant + other)
        )
    if schema.get("format") in _FORMATS:
        yield _FORMATS[schema["format"]].format(day=variant % 28 + 1)
    text = _word(name, variant)
    if len(text) < least:
        text = text.ljust(least, "x")
    if len(text) > most:
        # What tells one variant from another stands at the end.
        text = text[-int(most) :] if most and variant else text[: int(most)]
    yield text


def _numbers(schema: dict[str, Any], whole: bool, variant: int) -> Iterator[float]:
    least, most = _bounds(schema)
    step = schema.get("multipleOf")
    if step:
        first = math.ceil(least / step) if math.isfinite(least) else (math.floor(most / step) if most < step else 1)
        for factor in range(first + variant, first + variant + 3):
            value = factor * step
            yield int(value) if whole or float(value).is_integer() else round(value, 12)
        return
    start = least if math.isfinite(least) else min(1.0, most)
    candidates = [start + variant, math.ceil(start) + variant, math.floor(most) - variant if most < math.inf else start]
    if math.isfinite(least) and math.isfinite(most):
        candidates.append(least + (most - least) * (variant % 97 + 1) / 98)
    for value in candidates:
        yield int(value) if whole or float(value).is_integer() else float(value)
    if not whole:
        yield start + 0.5


def _bounds(schema: dict[str, Any]) -> tuple[float, float]:
    least, most = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    below, above = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    # In Draft 4 they were true and false.
    if isinstance(below, int | float) and not isinstance(below, bool):
        least = max(least, math.nextafter(below, math.inf) if not float(below).is_integer() else below + 0.5)
        least = math.ceil(least) if schema.get("type") == "integer" else least
    if isinstance(above, int | float) and not isinstance(above, bool):
        most = min(most, math.nextafter(above, -math.inf))
        most = math.ceil(above) - 1 if schema.get("type") == "integer" else most
    if least > most and isinstance(below, int | float):
        least = math.nextafter(float(below), math.inf)
    return least, most


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Puts two schemas that both hold into one, as far as words of the same name can be put together."""
    merged = dict(one)
    for word, value in other.items():
        if word not in merged:
            merged[word] = value
        elif word in _COMBINATIONS:
            merged["allOf"] = [*merged.get("allOf", []), *(value if word == "allOf" else [{word: value}])]
        else:
            merged[word] = _TOGETHER.get(word, _the_other)(merged[word], value)
    return merged


def _the_other(_: Any, other: Any) -> Any:
    return other


def _both_hold(one: Schema, other: Schema) -> Schema:
    return {"allOf": [one, other]}


def _common_properties(one: dict[str, Schema], other: dict[str, Schema]) -> dict[str, Schema]:
    return {**one, **{name: _both_hold(one[name], part) if name in one else part for name, part in other.items()}}


def _all_names(one: list[str], other: list[str]) -> list[str]:
    return [*one, *(name for name in other if name not in one)]


def _common_values(one: list[Any], other: list[Any]) -> list[Any]:
    return [item for item in one if any(_same(item, value) for value in other)]


def _common_types(one: Any, other: Any) -> list[str]:
    ones, others = ([kinds] if isinstance(kinds, str) else list(kinds) for kinds in (one, other))
    common = [kind for kind in ones if kind in others]
    if "integer" not in common and {"integer", "number"} <= {*ones, *others}:
        common.append("integer")
    return common


_COMBINATIONS = ("allOf", "anyOf", "oneOf")
_TOGETHER: dict[str, Callable[[Any, Any], Any]] = {
    "properties": _common_properties,
    "required": _all_names,
    "enum": _common_values,
    "type": _common_types,
    "items": _both_hold,
    "additionalProperties": _both_hold,
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), min),
}


def _word(name: str, variant: int) -> str:
    return f"simulated {name}" + (f" {variant + 1}" if variant else "")


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _member(target: Any, key: str) -> Any:
    return target.get(key) if isinstance(target, dict) else None


def _found(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False


def _some_matching(pattern: str) -> Iterator[str]:
    for variant in range(8):
        yield from itertools.islice(matching_texts(pattern, variant=variant), 2)
