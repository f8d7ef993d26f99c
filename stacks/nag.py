"""cdk-nag: the AwsSolutions rules over every stage, and acknowledgements that say why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from constructs import IConstruct


def check(app: cdk.App) -> None:
    """Makes synth fail on every AwsSolutions finding that nothing acknowledges."""
    from cdk_nag import AwsSolutionsChecks

    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))


def acknowledge(scope: IConstruct, reasons: Mapping[str, str]) -> None:
    """Accepts findings on a construct and what is below it.

    Args:
        scope: The construct.
        reasons: Id of a rule, as granular as cdk-nag reports it, to a sentence that says why it is right here.
    """
    cdk.Validations.of(scope).acknowledge(
        *(cdk.Acknowledgment(id=rule, reason=reason) for rule, reason in reasons.items())
    )
