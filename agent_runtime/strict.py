"""The base of every model that is read from a user's file: frozen, strict at every level, silent about input values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that a rule over several fields finds wrong.

    Attributes:
        message: What is wrong, without a secret value.
        hint: How to mend it.
        at: Path from the value under validation to the part that is at fault.
    """

    message: str
    hint: str
    at: tuple[str | int, ...] = ()


Rules = tuple[Callable[[Any], Iterable[Fault]], ...]


class StrictModel(BaseModel):
    """A frozen model that refuses unknown keys and converts nothing."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        # pydantic quotes the input by default, and the input may be a key pasted where its name belongs.
        hide_input_in_errors=True,
        # Our fields are called model and model_id, which pydantic would warn of.
        protected_namespaces=(),
    )

    RULES: ClassVar[Rules] = ()
    """Rules over several fields. All faults of all rules are told; pydantic itself would stop at the first."""

    @model_validator(mode="after")
    def _keep_rules(self) -> Self:
        if found := [fault for rule in self.RULES for fault in rule(self)]:
            raise _error(found)
        return self


def broken_rule(message: str, hint: str, *, at: tuple[str | int, ...] = ()) -> PydanticCustomError:
    """Make the error that a validator raises: what is wrong, and how to mend it.

    Args:
        message: What is wrong, without a secret value.
        hint: How to mend it.
        at: Path from the value under validation to the part that is at fault, when that is not the whole.

    Returns:
        An error whose context carries the fault, for `agent_runtime.validation` to show.
    """
    return _error([Fault(message, hint, at)])


def _error(faults: list[Fault]) -> PydanticCustomError:
    # The text goes in as context: a brace in it must not be read as a place holder of the template.
    text = "; ".join(fault.message for fault in faults)
    return PydanticCustomError("broken_rule", "{problem}", {"problem": text, "faults": faults})
