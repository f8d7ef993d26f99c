"""What each way to a model takes of JSON Schema: rewritten where its API or its library would refuse or garble it.

Only what the model is shown changes; an answer is always held to the author's own schema. What a rewritten schema no
longer says is put into words, and what cannot be shown at all is refused at synth.

Sources: the errors of the Messages API ("input_schema does not support oneOf, allOf, or anyOf at the top level",
"Property keys should match pattern") and of OpenAI's ("schema must have type 'object' and not have ... at the top
level"); "Malformed input request: extraneous key" of Amazon Nova on Bedrock; "responseJsonSchema" of Google's
GenerationConfig for `$ref`; what LiteLLM sends, as seen on the wire (tests/structured_output/test_providers.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent_runtime.structured_output.inlining import CyclicReferenceError, Node, TooLargeError, inlined, with_parts

if TYPE_CHECKING:
    from agent_runtime.blueprint import Model

# At the root neither OpenAI nor Anthropic takes them.
_NOT_AT_ROOT = ("allOf", "anyOf", "const", "enum", "not", "oneOf")
_NOVA_ROOT = ("properties", "required", "type")
# Of Claude's API; deeper members may have any name.
_CLAUDE_MEMBER = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
# Google's `Schema`, the subset of OpenAPI that function declarations had before they took JSON Schema.
_OPENAPI = (
    *("type", "format", "title", "description", "items", "properties", "required", "anyOf", "default", "pattern"),
    *("minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum", "minProperties", "maxProperties"),
)
_TYPES = ((bool, "boolean"), (int, "integer"), (float, "number"))

Dialect = Callable[[Node], Node]

PLAIN = "plain"
"""The dialect of models of which nothing is known but their address."""


class NotShownError(Exception):
    """Raised for a schema that a model cannot be shown by the way that the blueprint takes to it.

    Attributes:
        message: What is wrong.
        hint: How to mend it.
    """

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Shown:
    """A schema as a model is shown it.

    Attributes:
        schema: The schema.
        words: What it no longer says, for the description of the tool; empty when it says everything.
    """

    schema: Mapping[str, Any]
    words: str = ""


def dialect_of(model: Model) -> str:
    """Tells how a schema is written for a model.

    Args:
        model: The blueprint's model; its id may hold `${...}` still.

    Returns:
        A name for `shown_in`.
    """
    name = model.model_id.lower()
    if model.provider == "vertex":
        return "gemini"
    if model.provider == "bedrock" and "amazon.nova" in name:
        return "nova"
    if model.provider == "litellm" and not model.base_url:
        if "gemini" in name:
            return "gemini-by-litellm"
        if ("bedrock/" in name or "amazon." in name or "anthropic." in name) and "bedrock/invoke/" not in name:
            return "nova-by-litellm" if "amazon.nova" in name else "converse-by-litellm"
    return "claude" if model.provider == "anthropic" or "claude" in name else PLAIN


def shown_in(dialect: str, schema: Mapping[str, Any]) -> Shown:
    """Writes a schema as a model takes it.

    Args:
        dialect: What `dialect_of` tells of the model.
        schema: The author's schema, of an object.

    Returns:
        What to show.

    Raises:
        NotShownError: It cannot be written so.
    """
    whole = dict(schema)
    root = {name: value for name, value in whole.items() if name not in _NOT_AT_ROOT}
    try:
        written = _DIALECTS[dialect](root)
        if written == whole or written == inlined(whole, keep_cycles=True):
            return Shown(written)
    except TooLargeError as error:
        raise NotShownError("with its $refs written out it is too large for this model", "make it smaller") from error
    words = json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
    return Shown(written, f"The answer is held to this JSON Schema: {words}")


def _plain(schema: Node) -> Node:
    return schema


def _claude(schema: Node) -> Node:
    for member in schema.get("properties", {}):
        if not _CLAUDE_MEMBER.fullmatch(member):
            raise NotShownError(
                f"Claude takes no member of the name {member[:80]!r} at the top",
                "use letters without accents, digits, '_', '.' and '-', 64 characters at most",
            )
    return schema


def _gemini(schema: Node) -> Node:
    # Beside a $ref Gemini takes nothing. It follows one that leads back into itself as deep as it likes.
    return inlined(schema, keep_cycles=True)


def _nova(schema: Node) -> Node:
    return _nova_root(
        _without_cycles(schema, "Amazon Nova takes no recursion", "use another model, or nest it by hand")
    )


def _nova_root(schema: Node) -> Node:
    return {name: value for name, value in schema.items() if name in _NOVA_ROOT}


def _converse_by_litellm(schema: Node) -> Node:
    # LiteLLM writes the references out, drops the definitions, and takes null out of an enum.
    flat = _without_cycles(schema, "LiteLLM loses recursion on the way to Bedrock", "use provider: bedrock")
    return _claude(_rewritten(flat, _with_null_apart))


def _nova_by_litellm(schema: Node) -> Node:
    return _nova_root(_rewritten(_nova(schema), _with_null_apart))


def _gemini_by_litellm(schema: Node) -> Node:
    # LiteLLM sends Gemini's older subset, which has no const and no oneOf, and calls what has no type an object.
    flat = _without_cycles(schema, "LiteLLM loses recursion on the way to Gemini", "use provider: vertex")
    return _rewritten(flat, _as_openapi)


def _without_cycles(schema: Node, message: str, hint: str) -> Node:
    try:
        return inlined(schema)
    except CyclicReferenceError as error:
        raise NotShownError(f"it contains itself ({error.reference}): {message}", hint) from error


def _rewritten(schema: Node, change: Callable[[Any], Any]) -> Node:
    """Changes a schema and all schemas in it, from the root down; a part may be true or false."""
    return with_parts(change(schema), lambda part: _rewritten(part, change) if isinstance(part, dict) else change(part))


def _with_null_apart(node: Any) -> Any:
    values = node.get("enum") if isinstance(node, Mapping) else None
    if not isinstance(values, list) or None not in values:
        return node
    rest = {**node, "enum": [value for value in values if value is not None]}
    return {"anyOf": [rest, {"type": "null"}]}


def _as_openapi(node: Any) -> Any:
    if not isinstance(node, Mapping):
        raise _no_type()
    if len(node.get("allOf", ())) == 1 and isinstance(node["allOf"][0], Mapping):
        node = {**node, **node["allOf"][0]}
    written = {name: value for name, value in node.items() if name in _OPENAPI}
    choices = [node["const"]] if "const" in node else node.get("enum")
    alternatives = [*node.get("oneOf", ()), *node.get("anyOf", ())]
    tuple_items = node.get("prefixItems")
    if choices is not None:
        written = {name: written[name] for name in ("description",) if name in written} | _choice(choices)
    elif alternatives:
        written["anyOf"] = alternatives
    elif "type" not in written:
        raise _no_type()
    if not isinstance(written.get("items", {}), Mapping):
        del written["items"]
    if tuple_items:
        written["items"] = {"anyOf": [*tuple_items, *([written["items"]] if "items" in written else [])]}
    return written


def _choice(values: list[Any]) -> Node:
    """Words an enum with a type for each of its values; that of Gemini's subset has texts only."""
    texts = [value for value in values if isinstance(value, str)]
    parts: list[Node] = [{"type": "string", "enum": texts}] if texts else []
    for kind, name in _TYPES:
        if others := [value for value in values if type(value) is kind]:
            parts.append({"type": name, "description": f"One of {json.dumps(others)}."})
    parts += [{"type": "null"}] if None in values else []
    if not parts:
        raise _no_type()
    return parts[0] if len(parts) == 1 else {"anyOf": parts}


def _no_type() -> NotShownError:
    return NotShownError(
        "LiteLLM takes a value without a type for an object on the way to Gemini",
        'write "type" for every value, or use provider: vertex',
    )


_DIALECTS: Mapping[str, Dialect] = {
    PLAIN: _plain,
    "claude": _claude,
    "nova": _nova,
    "gemini": _gemini,
    "converse-by-litellm": _converse_by_litellm,
    "nova-by-litellm": _nova_by_litellm,
    "gemini-by-litellm": _gemini_by_litellm,
}
