"""What the gateway's tasks may do at providers that are part of AWS: the models and guardrails of `gateway.yaml`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam

from stacks.bedrock_models import find_model
from stacks.names import partition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.deployments import Deployment
    from gateway.integrations import BedrockGuardrail
    from gateway.settings import GatewaySettings
    from gateway.target import GatewayTarget
    from stacks.environments import Environment

_INVOKE = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
_BEDROCK = ("bedrock", "bedrock_converse")
# "Bedrock", LiteLLM: how it is asked, or where, may stand between the provider and the model.
_ROUTES = ("converse", "converse_like", "invoke")
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")


@dataclass(frozen=True, slots=True)
class GatewayRights:
    """Statements for the role of a task.

    Attributes:
        statements: What it may do.
        wildcards: ARNs among them that hold a wildcard, each with the reason.
    """

    statements: list[iam.PolicyStatement] = field(default_factory=list)
    wildcards: dict[str, str] = field(default_factory=dict)


def find_rights(settings: GatewaySettings, environment: Environment, target: GatewayTarget) -> GatewayRights:
    """Find out what the proxy calls of AWS with the role of its task.

    Args:
        settings: What the gateway serves.
        environment: The environment, whose account and region are meant where a deployment names none.
        target: How its configuration is compiled; where it simulates, nobody is called.

    Returns:
        The rights; none where no model and no guardrail is Bedrock's.
    """
    rights = GatewayRights()
    if target.simulates:
        return rights
    for deployment in _bedrock_deployments(settings):
        _add_model(rights, deployment, environment)
    guardrails = sorted(
        {_guardrail_arn(one.bedrock, environment) for one in settings.guardrails if one.bedrock is not None}
    )
    if guardrails:
        rights.statements.append(iam.PolicyStatement(actions=["bedrock:ApplyGuardrail"], resources=guardrails))
    return rights


def _bedrock_deployments(settings: GatewaySettings) -> Iterator[Deployment]:
    for model in settings.models.values():
        for deployment in model.all_deployments:
            if deployment.provider in _BEDROCK and deployment.mock_response is None:
                yield deployment


def _add_model(rights: GatewayRights, deployment: Deployment, environment: Environment) -> None:
    model_id, region = _model_and_region(deployment.model)
    model = find_model(
        model_id,
        partition=partition(environment),
        region=region or deployment.region or environment.region,
        account=environment.account,
    )
    rights.statements.append(iam.PolicyStatement(actions=_INVOKE, resources=[model.arn]))
    if model.behind_profile:
        # "Prerequisites for inference profiles", Amazon Bedrock user guide.
        through = {"StringEquals": {"bedrock:InferenceProfileArn": model.arn}}
        rights.statements.append(
            iam.PolicyStatement(actions=_INVOKE, resources=[model.behind_profile], conditions=through)
        )
        rights.wildcards[model.behind_profile] = (
            "The profile decides on the Regions, to which AWS may add; the model is one, and reached through it only."
        )


def _model_and_region(name: str) -> tuple[str, str | None]:
    """The model in a name such as `bedrock/converse/<model>` or `bedrock/us-east-1/<model>`, and the region in it."""
    region = None
    words = name.split("/")[1:]
    while len(words) > 1 and (words[0] in _ROUTES or _REGION.fullmatch(words[0])):
        word = words.pop(0)
        region = region if word in _ROUTES else word
    return "/".join(words), region


def _guardrail_arn(guardrail: BedrockGuardrail, environment: Environment) -> str:
    if guardrail.guardrail_id.startswith("arn:"):
        return guardrail.guardrail_id
    owner = f"{guardrail.region or environment.region}:{environment.account}"
    return f"arn:{partition(environment)}:bedrock:{owner}:guardrail/{guardrail.guardrail_id}"
