"""What LiteLLM knows of providers, models, prices and parameters, read from a table instead of from LiteLLM.

Importing LiteLLM takes three seconds, at every synth. `gateway/extract_facts.py` writes the table, and a test holds it
to the version that is locked.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_TABLE = Path(__file__).with_name("litellm_facts.json")
# How Bedrock is asked, or where, and not which model: bedrock/converse/<model>, bedrock/us-east-1/<model>.
_BEDROCK_ROUTE = re.compile(r"^bedrock/(?:converse|converse_like|invoke|[a-z]{2}(?:-[a-z]+)+-\d)/")
_NOT_JUDGED = -1


@dataclass(frozen=True, slots=True)
class KnownPrice:
    """What LiteLLM's price map says of a model, in US dollars a token."""

    input_usd: float
    output_usd: float

    @property
    def is_zero(self) -> bool:
        """Whether LiteLLM counts no cost; budgets then never move."""
        return not self.input_usd and not self.output_usd


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(_TABLE.read_text(encoding="utf-8"))
    return table


def litellm_version() -> str:
    """Return the version of LiteLLM that the table is of."""
    return str(_table()["litellm"])


@cache
def providers() -> frozenset[str]:
    """Return the names of the providers, as they stand before the first slash of a model."""
    return frozenset(_table()["providers"])


def provider_of(model: str) -> str:
    """Return what stands before the first slash of a model's name; empty where there is none."""
    provider, slash, _ = model.partition("/")
    return provider if slash else ""


def known_price(model: str) -> KnownPrice | None:
    """Look a model up in LiteLLM's price map.

    Args:
        model: Provider and model as LiteLLM names them.

    Returns:
        Its price, or nothing when LiteLLM knows none, or none by the token.
    """
    entry = _entry(model)
    if entry is None or (entry[0] is None and entry[1] is None):
        return None
    return KnownPrice(entry[0] or 0.0, entry[1] or 0.0)


@cache
def refused_parameters(model: str) -> frozenset[str]:
    """Return the parameters of OpenAI's API that LiteLLM does not send to a model.

    LiteLLM answers them with an error or, with `drop_params`, leaves them out; what is not in OpenAI's API it sends on
    ("Drop Unsupported Params", LiteLLM).

    Args:
        model: Provider and model as LiteLLM names them.

    Returns:
        The parameters' names; none when LiteLLM has no list for the provider.
    """
    entry = _entry(model)
    position = entry[2] if entry else _table()["providers"].get(provider_of(model), _NOT_JUDGED)
    return frozenset() if position == _NOT_JUDGED else frozenset(_table()["refused"][position])


def _entry(model: str) -> tuple[float | None, float | None, int] | None:
    name = model.lower()
    models = _table()["models"]
    found = models.get(name) or models.get(_BEDROCK_ROUTE.sub("bedrock/", name))
    return tuple(found) if found else None
