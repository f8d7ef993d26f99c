"""The base of every model that is read from a user's file: frozen, strict at every level, silent about input values."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError


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


def broken_rule(message: str, hint: str, *, at: tuple[str, ...] = ()) -> PydanticCustomError:
    """Make the error that a validator raises: what is wrong, and how to mend it.

    Args:
        message: What is wrong, without a secret value.
        hint: How to mend it.
        at: Path from the value under validation to the part that is at fault, when that is not the whole.

    Returns:
        An error whose context carries `hint` and `at`, for `agent_runtime.validation` to show.
    """
    # The text goes in as context: a brace in it must not be read as a place holder of the template.
    return PydanticCustomError("broken_rule", "{problem}", {"problem": message, "hint": hint, "at": at})
