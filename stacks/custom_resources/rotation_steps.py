"""What the functions that rotate have alike: one of Secrets Manager's four steps is taken, and told without a value."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any


class RotationRefused(Exception):
    """Raised when a step cannot be done; Secrets Manager tries again, or an operator reads it."""


def take_step(event: Mapping[str, Any], steps: Mapping[str, Callable[[], None]]) -> None:
    """Takes the step that an event names ("Rotation by Lambda function", AWS Secrets Manager).

    Args:
        event: Secrets Manager's event: Step, SecretId and ClientRequestToken.
        steps: What each step does.

    Raises:
        RotationRefused: There is no such step, or it cannot be done.
    """
    step = event["Step"]
    if step not in steps:
        raise RotationRefused(f"there is no step {step}")
    steps[step]()
    print(json.dumps({"rotation": step, "secret": event["SecretId"], "version": event["ClientRequestToken"]}))
