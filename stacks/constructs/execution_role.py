"""The execution role of an agent, built from its blueprint: what it needs and nothing else.

The L2's default role reads the whole asset bucket, every runtime's log group and every workload identity's tokens.
The policy is data; a test evaluates it for all pairs of agents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent_runtime.tool_gateway import gateway_at
from stacks.bedrock_models import find_model
from stacks.names import partition, secret_arn
from stacks.simulation import is_simulated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent_runtime.blueprint import Blueprint
    from stacks.assets import S3Object
    from stacks.bedrock_models import BedrockModel
    from stacks.environments import Environment

Statement = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RoleNeeds:
    """What an agent reads.

    Attributes:
        runtime_name: Name of its AgentCore runtime.
        code: The code artefact in S3.
        bundle: The bundle in S3.
        variables: Variables whose secrets it reads.
    """

    runtime_name: str
    code: S3Object
    bundle: S3Object
    variables: Sequence[str]


def trust_policy(environment: Environment, runtime_name: str) -> dict[str, Any]:
    """Lets AgentCore take the role for this runtime of this account only ("IAM permissions for AgentCore Runtime")."""
    owner = f"{environment.region}:{environment.account}"
    arn = f"arn:{partition(environment)}:bedrock-agentcore:{owner}:runtime/{runtime_name}-*"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "bedrock-agentcore.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {
            "StringEquals": {"aws:SourceAccount": environment.account},
            "ArnLike": {"aws:SourceArn": arn},
        },
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def permissions_policy(environment: Environment, blueprint: Blueprint, needs: RoleNeeds) -> dict[str, Any]:
    """Grants what the agent's blueprint needs.

    Args:
        environment: The environment.
        blueprint: The agent.
        needs: What it reads.

    Returns:
        An IAM policy document.
    """
    statements = [
        # Every bundle of this runtime: sessions of the version before, and a rollback to it, read theirs.
        _allow("Code", ["s3:GetObject"], [needs.code.arn, needs.bundle.folder_arn]),
        *_logs(environment, needs.runtime_name),
        *(_telemetry() if blueprint.observability.enabled else ()),
    ]
    if needs.variables:
        arns = [f"{secret_arn(environment, variable)}-??????" for variable in needs.variables]
        statements.append(_allow("Secrets", ["secretsmanager:GetSecretValue"], arns))
        # Gives no value by itself: it brings those secrets that GetSecretValue is allowed on, and IAM knows no
        # resources for it ("Identity-based policies", AWS Secrets Manager User Guide).
        statements.append(_allow("SecretsInOneCall", ["secretsmanager:BatchGetSecretValue"], ["*"]))
        if environment.kms_key_arn:
            statements.append(_allow("SecretsKey", ["kms:Decrypt"], [environment.kms_key_arn]))
    if model := _bedrock_model(environment, blueprint):
        statements += _models(model)
    statements += _tool_gateway(environment, blueprint)
    return {"Version": "2012-10-17", "Statement": statements}


def wildcard_reasons(environment: Environment, blueprint: Blueprint, needs: RoleNeeds) -> dict[str, str]:
    """Says of each wildcard in the policy why it is there, by the id under which cdk-nag finds it."""
    group = _log_groups_arn(environment, needs.runtime_name)
    why = "AgentCore ends the names of a runtime's log groups with ids of its own; the runtime's name is whole."
    reasons = {
        f"AwsSolutions-IAM5[Resource::{needs.bundle.folder_arn}]": "The bundles of this runtime's versions, by hash.",
        f"AwsSolutions-IAM5[Resource::{group}]": why,
        f"AwsSolutions-IAM5[Resource::{group}:log-stream:*]": why,
        "AwsSolutions-IAM5[Resource::*]": (
            "X-Ray, PutMetricData and BatchGetSecretValue know no resources; metrics stay in one namespace, and each "
            "secret of a batch needs GetSecretValue on itself."
        ),
    }
    model = _bedrock_model(environment, blueprint)
    if model and model.behind_profile:
        reasons[f"AwsSolutions-IAM5[Resource::{model.behind_profile}]"] = (
            "The profile decides on the Regions, to which AWS may add; the model is one, and reached through it only."
        )
    return reasons


def _log_groups_arn(environment: Environment, runtime_name: str) -> str:
    # AgentCore names the log groups <name>-<id>-<endpoint>; no name holds a hyphen, so no other agent's begins so.
    return (
        f"arn:{partition(environment)}:logs:{environment.region}:{environment.account}:"
        f"log-group:/aws/bedrock-agentcore/runtimes/{runtime_name}-*"
    )


def _allow(sid: str, actions: list[str], resources: list[str], **more: Any) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources, **more}


def _logs(environment: Environment, runtime_name: str) -> list[Statement]:
    group = _log_groups_arn(environment, runtime_name)
    return [
        _allow("LogGroups", ["logs:CreateLogGroup", "logs:DescribeLogStreams"], [group]),
        _allow("LogStreams", ["logs:CreateLogStream", "logs:PutLogEvents"], [f"{group}:log-stream:*"]),
    ]


def _bedrock_model(environment: Environment, blueprint: Blueprint) -> BedrockModel | None:
    if blueprint.model.provider != "bedrock" or is_simulated(blueprint, environment):
        return None
    return find_model(
        blueprint.model.model_id,
        partition=partition(environment),
        region=environment.region,
        account=environment.account,
    )


def _models(model: BedrockModel) -> list[Statement]:
    actions = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
    named = _allow("Models", actions, [model.arn])
    if model.behind_profile is None:
        return [named]
    # "Prerequisites for inference profiles", Amazon Bedrock user guide.
    through_profile = {"StringEquals": {"bedrock:InferenceProfileArn": model.arn}}
    return [named, _allow("ModelsBehindProfile", actions, [model.behind_profile], Condition=through_profile)]


def _tool_gateway(environment: Environment, blueprint: Blueprint) -> list[Statement]:
    """The one gateway that the agent signs requests for ("Inbound authorization for your gateway", AgentCore guide)."""
    gateway = blueprint.gateway
    found = gateway_at(gateway.url) if gateway and gateway.url and gateway.auth_type == "aws_iam" else None
    if found is None:
        return []
    owner = f"{found.region}:{environment.account}"
    arn = f"arn:{partition(environment)}:bedrock-agentcore:{owner}:gateway/{found.gateway_id}"
    return [_allow("ToolGateway", ["bedrock-agentcore:InvokeGateway"], [arn])]


def _telemetry() -> list[Statement]:
    # X-Ray and CloudWatch metrics know no resources; the namespace is the limit that there is.
    traces = ["xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"]
    return [
        _allow("Traces", traces, ["*"]),
        _allow(
            "Metrics",
            ["cloudwatch:PutMetricData"],
            ["*"],
            Condition={"StringEquals": {"cloudwatch:namespace": "bedrock-agentcore"}},
        ),
    ]
