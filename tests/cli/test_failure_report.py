"""The first line of a failed deployment says why, whatever else the CDK CLI prints."""

from __future__ import annotations

import pytest

from strandline.failure_report import explain_failure

HEAD = "Production-Agent-tide |  3/11 | 6:53:46 PM | UPDATE_FAILED           |"
PLACE = "Production/Agent-tide/Gate/Checks/Default (GateChecks4A0EDC48)"
WHY = "version 2 of tide in production did not pass, and `live` was not moved: check 'greets' failed"


def lines_with(reason, kind="Custom::StrandlineChecks", place=PLACE):
    return [
        "Production/Agent-tide (Production-Agent-tide): deploying... [5/5]",
        f"{HEAD} AWS::IAM::Role | Production/Agent-tide/Role (Role) Resource update cancelled",
        f"{HEAD} {kind}               | {place} {reason}",
        "Production-Agent-tide | 3/11 | 6:53:46 PM | UPDATE_ROLLBACK_IN_PROG | AWS::CloudFormation::Stack | x",
        "❌  Production-Agent-tide failed to deploy",
        "‣ DeploymentError: Resource updates failed:",
    ]


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (WHY, WHY),
        (
            f"Received response status [FAILED] from custom resource. Message returned: {WHY} "
            "(RequestId: 1c4e1f2a-0d5e-4a37-9a3d-6a5f6d2b8c11)",
            WHY,
        ),
        (
            'Resource handler returned message: "Version 2 of production_tide did not start. The code ended" '
            "(RequestToken: 6f, HandlerErrorCode: InvalidRequest)",
            "Version 2 of production_tide did not start. The code ended",
        ),
    ],
)
def test_first_line_is_what_the_resource_that_failed_first_says(reason, told):
    assert explain_failure(lines_with(reason)) == [f"Production-Agent-tide: {told}"]


def test_each_stack_that_failed_has_its_line():
    others = [line.replace("Agent-tide", "Agent-wave") for line in lines_with(WHY)]

    told = explain_failure([*lines_with(WHY), *others])

    assert [line.partition(":")[0] for line in told] == ["Production-Agent-tide", "Production-Agent-wave"]


def test_without_a_resource_that_failed_the_errors_are_told():
    assert explain_failure(["Bundling", "Error: no credentials", "Bye"]) == ["Error: no credentials"]
    assert explain_failure(["", "Something ended"]) == ["Something ended"]
