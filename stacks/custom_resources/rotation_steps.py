"""What the functions that rotate have alike: the steps that Secrets Manager asks for, and what is the same in each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .secret_versions import SecretVersions


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


def stage_value(versions: SecretVersions, token: str, make: Callable[[], str]) -> None:
    """Stages a value, unless that was done; what an ended rotation has left staged gives way.

    Args:
        versions: Versions of the secret.
        token: Id of the version that Secrets Manager asks for.
        make: Makes the value.

    Raises:
        RotationRefused: Another rotation has not ended.
    """
    labels = versions.labels()
    if labels.current == token or (labels.pending == token and versions.staged(token) is not None):
        return
    if labels.pending not in (None, token, labels.current):
        raise RotationRefused(f"version {labels.pending} is staged: another rotation has not ended")
    value = make()
    if labels.pending is not None and labels.pending != token:
        versions.discard(labels.pending)
    versions.put(value, token)


def try_staged(versions: SecretVersions, token: str, check: Callable[[str], None]) -> None:
    """Has a staged value checked.

    Args:
        versions: Versions of the secret.
        token: Id of the version.
        check: Raises where the value is not good.
    """
    value = versions.staged(token)
    # A schedule that was just set up is tried with a version that has no value.
    if value is not None:
        check(value)
