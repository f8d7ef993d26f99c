"""What a blueprint asks of data protection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from agent_runtime.data_protection.entities import check_entities
from agent_runtime.errors import InputError
from agent_runtime.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

Provider = Literal["bedrock", "presidio", "none"]
Action = Literal["mask", "block"]


@dataclass(frozen=True, slots=True)
class ProtectionSettings:
    """What to look for, where, and what to do about it.

    Attributes:
        provider: `presidio` filters in this process, `bedrock` at the model's endpoint, `none` not at all.
        entities: Presidio's names of what to find; empty for those that Presidio itself finds without a model.
        language: Language of the texts, as ISO 639-1.
        on_input: Whether the caller's text is filtered before it reaches the model.
        on_output: Whether the model's text is filtered before it reaches the caller.
        action: `mask` puts the entity's name in place of the value, `block` refuses the whole text.
    """

    provider: Provider
    entities: tuple[str, ...] = ()
    language: str = "en"
    on_input: bool = True
    on_output: bool = True
    action: Action = "mask"

    def check(self) -> None:
        """Checks what needs no Presidio, so that synth can refuse what the runtime would.

        Raises:
            InputError: A word is not known, or the settings protect nothing.
        """
        _check_word("provider", self.provider, get_args(Provider))
        _check_word("action", self.action, get_args(Action))
        if self.provider == "presidio":
            if not (self.on_input or self.on_output):
                raise InputError(
                    "data_protection filters neither input nor output: "
                    "set on_input or on_output to true, or provider: none."
                )
            check_entities(self.entities)


def _check_word(field: str, word: str, allowed: Iterable[str]) -> None:
    if word not in allowed:
        raise InputError(f"data_protection.{field}: {word!r} is not known ({did_you_mean(word, allowed)}).")
