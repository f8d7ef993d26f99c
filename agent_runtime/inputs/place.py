"""Where in the payload something stands, and what must be true of it there."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from agent_runtime.failures import BadRequestError
from agent_runtime.quoting import shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

MAXIMUM_TEXT_CHARACTERS = 1_000_000
MAXIMUM_ITEMS = 100

# Converse allows these ("ToolUseBlock", Amazon Bedrock API reference); the other providers are no wider.
_TOOL_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Place:
    """A value of the payload and where it stands.

    Attributes:
        path: Its place, such as `messages[0].content`; empty for the payload itself.
        value: The value.
    """

    path: str
    value: Any

    def refuse(self, why: str) -> NoReturn:
        """Refuses the payload because of what stands here."""
        raise BadRequestError(f"{self.path or 'The payload'} {why}")

    def has(self, name: str) -> bool:
        """Tells whether an object has a member that is not null."""
        return isinstance(self.value, dict) and self.value.get(name) is not None

    def object(self) -> dict[str, Any]:
        """Gives an object; raises `BadRequestError` if it is none."""
        if not isinstance(self.value, dict):
            self.refuse("must be a JSON object.")
        return self.value

    def member(self, name: str) -> Place:
        """Gives a member of an object; null if it has none."""
        return Place(f"{self.path}.{name}" if self.path else name, self.object().get(name))

    def items(self, maximum: int = MAXIMUM_ITEMS) -> Iterator[Place]:
        """Goes through a list.

        Args:
            maximum: Items that it may have.

        Yields:
            The items.

        Raises:
            BadRequestError: It is no list, or has none or too many.
        """
        if not isinstance(self.value, list):
            self.refuse("must be a list.")
        if not self.value:
            self.refuse("is empty.")
        if len(self.value) > maximum:
            self.refuse(f"has {len(self.value)} items: at most {maximum} are taken.")
        for number, item in enumerate(self.value):
            yield Place(f"{self.path}[{number}]", item)

    def text(self, *, maximum: int = MAXIMUM_TEXT_CHARACTERS) -> str:
        """Gives a text that says something.

        Args:
            maximum: Characters that it may have.

        Raises:
            BadRequestError: It is no text, is blank, too long, or holds what is no character.
        """
        text = self.any_text(maximum=maximum)
        if not text.strip():
            self.refuse("must be a text that is not empty.")
        return text

    def any_text(self, *, maximum: int = MAXIMUM_TEXT_CHARACTERS) -> str:
        """Gives a text that may be blank; otherwise as `text`."""
        if not isinstance(self.value, str):
            self.refuse("must be a text.")
        if len(self.value) > maximum:
            self.refuse(f"is longer than {maximum} characters.")
        try:
            self.value.encode()
        except UnicodeEncodeError:
            self.refuse("holds half of a surrogate pair, which is no character.")
        return self.value

    def matching(self, pattern: re.Pattern[str], rule: str) -> str:
        """Gives a text of a certain form.

        Args:
            pattern: The form, of the whole text.
            rule: The form in words.

        Raises:
            BadRequestError: It has another form.
        """
        if not isinstance(self.value, str) or not pattern.fullmatch(self.value):
            self.refuse(f"must be {rule}.")
        return self.value

    def tool_id(self) -> str:
        """Gives the id of a tool's call; raises `BadRequestError` if it is none."""
        return self.matching(_TOOL_ID, "1 to 64 letters, digits and . : _ -")

    def tool_name(self) -> str:
        """Gives the name of a tool; raises `BadRequestError` if it is none."""
        return self.matching(_TOOL_NAME, "1 to 64 letters, digits, hyphens and underscores")

    def one_of(self, known: Collection[str]) -> str:
        """Gives a text that is one of these.

        Raises:
            BadRequestError: It is none of them.
        """
        if not isinstance(self.value, str) or self.value not in known:
            told = f", not {shown(self.value)}" if isinstance(self.value, str) else ""
            self.refuse(f"must be one of {', '.join(sorted(known))}{told}.")
        return self.value

    def json_value(self) -> Any:
        """Gives a value that a model can be sent: real numbers, real characters.

        Raises:
            BadRequestError: It holds NaN, Infinity or half a surrogate pair.
        """
        try:
            json.dumps(self.value, allow_nan=False, ensure_ascii=False).encode()
        except ValueError:
            self.refuse("holds NaN, Infinity or half of a surrogate pair.")
        return self.value
