"""Who mints the agents' keys at a managed gateway, and the key of one agent.

One function for all agents of an environment. It alone, beside the gateway itself, reads the master key; it writes the
agents' keys and reads none that is in use. Secrets Manager calls it too, where keys are rotated on a schedule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from agent_runtime.providers.wire import model_behind_proxy
from gateway.proxy.keys import MASTER_KEY
from gateway.proxy.paths import INFERENCE_PATHS
from stacks.constructs.deployment_function import DeploymentFunction, call_regularly, permit
from stacks.constructs.own_key_schedule import add_schedule
from stacks.custom_resources.key_ages import WATCH_EVENT
from stacks.custom_resources.key_rotation import AGENT_TAG
from stacks.custom_resources.secret_versions import PENDING
from stacks.nag import acknowledge
from stacks.names import agent_key, secret_arn, secret_name
from stacks.simulation import is_simulated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent_runtime.blueprint import Blueprint
    from stacks.base import EnvironmentStack
    from stacks.environments import Environment

# As long as the gateway may take to answer after its deployment (`proxy_admin.py`), for each of a few calls.
_TIMEOUT_SECONDS = 600
# LiteLLM's own list of inference routes holds ways through to any path of a provider.
_ROUTES = [f"{prefix}{path}" for path in INFERENCE_PATHS for prefix in ("", "/v1")]
_KEY_IS_MINTED = "`strandline rotate` mints the next key; rotation: 30d in environments.yaml does it on a schedule."


class GatewayKeys(Construct):
    """The function that mints keys.

    Args:
        scope: The gateway's stack.
        construct_id: Id in the stack.
        admin_url: Address of the gateway's admin routes.
        subnet_ids: Where the function stands.
        security_group_id: What may reach the admin routes.

    Attributes:
        service_token: What an agent's key names as its maker.
        function_name: The function's name, for whoever watches or calls it.
    """

    def __init__(
        self,
        scope: EnvironmentStack,
        construct_id: str,
        *,
        admin_url: str,
        subnet_ids: Sequence[str],
        security_group_id: str,
    ) -> None:
        super().__init__(scope, construct_id)
        target = scope.target
        keys = secret_arn(target, agent_key("*"))
        statements = [
            iam.PolicyStatement(
                actions=["secretsmanager:GetSecretValue"], resources=[f"{secret_arn(target, MASTER_KEY)}-??????"]
            ),
            iam.PolicyStatement(
                actions=[
                    "secretsmanager:PutSecretValue",
                    "secretsmanager:DescribeSecret",
                    "secretsmanager:UpdateSecretVersionStage",
                ],
                resources=[keys],
            ),
            # A staged key is tried; what agents use stays unread.
            iam.PolicyStatement(
                actions=["secretsmanager:GetSecretValue"],
                resources=[keys],
                conditions={"StringEquals": {"secretsmanager:VersionStage": PENDING}},
            ),
        ]
        if target.kms_key_arn:
            # Secrets Manager encrypts a new version with a data key that it may have to decrypt first.
            actions = ["kms:Decrypt", "kms:GenerateDataKey"]
            statements.append(iam.PolicyStatement(actions=actions, resources=[target.kms_key_arn]))
        function = DeploymentFunction(
            scope,
            f"{construct_id}Function",
            module="agent_key",
            description=f"Mints the keys of the agents in {target.name} at the gateway",
            timeout_seconds=_TIMEOUT_SECONDS,
            variables={
                "STRANDLINE_ENVIRONMENT": target.name,
                "GATEWAY_URL": admin_url,
                "MASTER_KEY_SECRET": secret_name(target, MASTER_KEY),
            },
            statements=statements,
            subnet_ids=subnet_ids,
            security_group_id=security_group_id,
        )
        acknowledge(
            function,
            {
                f"AwsSolutions-IAM5[Resource::{keys}]": "One function for all agents' keys, of which it reads staged "
                "ones only; which agents there are is not known here."
            },
        )
        self.service_token, self.function_name = function.arn, function.name
        if target.rotation_days:
            permit(self, "Scheduled", "secretsmanager", function.arn, source_account=target.account)
            call_regularly(
                self,
                "Watch",
                function=function.arn,
                rate="1 day",
                description=f"Tells how old the keys of the agents in {target.name} are",
                inputs={"Keys": WATCH_EVENT},
            )


class AgentKey(Construct):
    """One agent's key: minted when the agent is made, changed with its budget, deleted with the agent.

    Args:
        scope: The agent's stack.
        construct_id: Id in the stack.
        blueprint: The agent.
        service_token: Who mints.
    """

    def __init__(self, scope: EnvironmentStack, construct_id: str, *, blueprint: Blueprint, service_token: str) -> None:
        super().__init__(scope, construct_id)
        target, variable = scope.target, agent_key(blueprint.id)
        secret = secretsmanager.CfnSecret(
            self,
            "Secret",
            name=secret_name(target, variable),
            description=f"Key of the agent {blueprint.id} at the gateway of {target.name}",
            kms_key_id=target.kms_key_arn,
            # By it the function knows whose key it rotates.
            tags=[cdk.CfnTag(key=AGENT_TAG, value=blueprint.id)],
        )
        # Without the agent the key opens nothing: the gateway has forgotten it.
        secret.apply_removal_policy(cdk.RemovalPolicy.DESTROY)
        minted = cdk.CustomResource(
            self,
            "Minted",
            resource_type="Custom::StrandlineAgentKey",
            service_token=service_token,
            service_timeout=cdk.Duration.seconds(_TIMEOUT_SECONDS + 60),
            properties={"Agent": blueprint.id, "Secret": secret.ref, **_limits(blueprint, target)},
        )
        if not target.rotation_days:
            acknowledge(secret, {"AwsSolutions-SMG4": _KEY_IS_MINTED})
            return
        schedule = add_schedule(self, "Schedule", secret.ref, function=service_token, days=target.rotation_days)
        # Before there is a key none can follow it.
        schedule.node.add_dependency(minted)


def _limits(blueprint: Blueprint, environment: Environment) -> dict[str, object]:
    """What the key may do; CloudFormation hands numbers over as text, so they are text from the start."""
    model_id = blueprint.model.model_id
    own = model_behind_proxy(model_id) if is_simulated(blueprint, environment) else model_id
    budget = blueprint.budget
    if budget is None:
        return {"Models": [own], "Routes": _ROUTES}
    limits: dict[str, object] = {"Models": list(dict.fromkeys((own, *budget.models))), "Routes": _ROUTES}
    if budget.max_usd is not None:
        limits |= {"MaxUsd": str(budget.max_usd), "Per": budget.per}
    if budget.rpm is not None:
        limits["Rpm"] = str(budget.rpm)
    if budget.tpm is not None:
        limits["Tpm"] = str(budget.tpm)
    return limits
