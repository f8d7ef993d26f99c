"""The base of every model that is read from a user's file: frozen, strict at every level, silent about input values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from collections.abc import Iterable


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


def raise_broken(faults: Iterable[Fault]) -> None:
    """Raise one error for all faults that a model's rules found; pydantic itself would stop at the first.

    Args:
        faults: What the rules found; nothing happens when that is nothing.

    Raises:
        PydanticCustomError: There is a fault. Its context carries them all.
    """
    if found := list(faults):
        raise _error(found)


def _error(faults: list[Fault]) -> PydanticCustomError:
    # The text goes in as context: a brace in it must not be read as a place holder of the template.
    text = "; ".join(fault.message for fault in faults)
    return PydanticCustomError("broken_rule", "{problem}", {"problem": text, "faults": faults})
