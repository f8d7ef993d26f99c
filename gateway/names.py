"""The names that agents call the gateway's models by."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from agent_runtime.rules import Token
from agent_runtime.strict import broken_rule


def _check_public_name(name: str) -> str:
    if "*" in name:
        raise broken_rule("is a pattern; the gateway serves models by their full names", "name each model")
    return name


def _check_distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) != len(names):
        raise broken_rule("names the same thing twice", "name each once")
    return names


PublicName = Annotated[Token, AfterValidator(_check_public_name)]
PublicNames = Annotated[tuple[PublicName, ...], Field(strict=False, max_length=20), AfterValidator(_check_distinct)]
