"""How old keys and secrets are, once a day, as a metric: a rotation that never comes fails nowhere.

The keys of agents are those that the gateway knows, which what mints them tells. Of everything else Secrets Manager
tells when its version was made; that needs no right to read a value.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from typing import TYPE_CHECKING

from .embedded_metrics import metric_line
from .secret_versions import SecretVersions
from .virtual_keys import is_in_use

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

METRIC_NAMESPACE = "Strandline/Rotation"
AGE_METRIC = "KeyAgeDays"
"""Of keys that nobody types."""
TYPED_METRIC = "SecretAgeDays"
"""Of secrets that people set."""
WATCH_EVENT = {"Watch": "ages"}
"""What the function that mints the agents' keys is called with."""

_DAY_SECONDS = 86_400


def handler(event: Mapping[str, Any], context: Any) -> None:
    """Lambda's entry point, for the daily look: the event has the metric, and the variables of some secrets."""
    import boto3

    del context
    made = made_by_variable(boto3.client("secretsmanager"), os.environ["PREFIX"], event["variables"])
    print(age_line(event["metric"], made, os.environ["STRANDLINE_ENVIRONMENT"], dt.datetime.now(dt.UTC)))


def made_by_variable(vault: Any, prefix: str, variables: Sequence[str]) -> dict[str, dt.datetime]:
    """Finds out when secrets got their present values.

    Args:
        vault: A client of Secrets Manager.
        prefix: What stands before the variable in a secret's name.
        variables: Names of the variables.

    Returns:
        When, by variable; without those that have no value, or cannot be looked at.
    """
    made = {}
    for variable in variables:
        try:
            when = SecretVersions(vault, prefix + variable).made_at()
        except vault.exceptions.ClientError as refused:
            # One that is being deleted hides no other.
            print(json.dumps({"secret": prefix + variable, "refused": refused.response["Error"]["Code"]}))
            continue
        if when is not None:
            made[variable] = when
    return made


def made_by_alias(keys: Sequence[Mapping[str, Any]], environment: str) -> dict[str, dt.datetime]:
    """Finds out when the keys that agents use were made.

    Args:
        keys: What LiteLLM knows of the environment's keys.
        environment: Name of the environment.

    Returns:
        When, by alias.
    """
    made = {
        key["key_alias"]: dt.datetime.fromisoformat(key["created_at"])
        for key in keys
        if (key.get("key_alias") or "").startswith(f"{environment}/") and is_in_use(key["key_alias"])
    }
    return {alias: one if one.tzinfo else one.replace(tzinfo=dt.UTC) for alias, one in made.items()}


def age_line(metric: str, made: Mapping[str, dt.datetime], environment: str, now: dt.datetime) -> str:
    """Writes the age of the oldest.

    Args:
        metric: Name of the metric.
        made: When each was made, by its name.
        environment: Name of the environment.
        now: The time.

    Returns:
        A line of the log.
    """
    ages = {name: round((now - one).total_seconds() / _DAY_SECONDS, 2) for name, one in made.items()}
    oldest = max(ages, key=lambda name: ages[name], default=None)
    return metric_line(
        metric,
        ages[oldest] if oldest else 0.0,
        "None",
        now,
        namespace=METRIC_NAMESPACE,
        dimensions=[["environment"]],
        properties={"environment": environment, "oldest": oldest, "keys": len(ages)},
    )
