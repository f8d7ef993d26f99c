"""Names that more than one side must agree on: the template that makes a thing and whoever looks for it.

Secrets are referred to by name and not by a CloudFormation export, because an export that is in use could not go away
when a blueprint stops using its variable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.proxy.keys import INFERENCE_KEY
from stacks.custom_resources import endpoint_names
from stacks.custom_resources.own_key import NEXT_SUFFIX

if TYPE_CHECKING:
    from stacks.environments import Environment

GATEWAY = "gateway"
"""The gateway among the users of a secret; no agent may have this id."""
SALT_KEY = "LITELLM_SALT_KEY"
"""What LiteLLM encrypts by in its database; with another one nothing in there can be read."""
ENVIRONMENT_KEY = INFERENCE_KEY
"""The one key for inference of a gateway without a database."""
GATEWAY_PORT = 4000
"""Port of the gateway's load balancer and of LiteLLM behind it."""
GATEWAY_ADMIN_PORT = 4001
"""Port of the load balancer for everything that is not inference; operators reach it, agents do not."""
GATEWAY_PUBLIC_ADMIN_PORT = 8443
"""The same of the load balancer that callers outside reach."""
KEY_MAKER_OUTPUT = "KeyMaker"
"""Output of the gateway's stack: name of the function that mints the agents' keys."""
LIVE, CANDIDATE, PREVIOUS = endpoint_names.LIVE, endpoint_names.CANDIDATE, endpoint_names.PREVIOUS
CANARY = endpoint_names.CANARY
"""The endpoints of an agent's runtime."""
CANARY_TYPE = "Custom::StrandlineCanary"
"""Type of the resource that begins a canary."""
CHECKS_STACK = "Checks"
"""Id of the stack with what runs checks while agents are deployed."""
GATE_TYPE = "Custom::StrandlineChecks"
"""Type of the resource that lets a version pass."""
JUDGE_OUTPUT = "Judge"
"""Output of the same stack: the function that judges answers, where a blueprint asks for one."""
RECORDS_OUTPUT = "Records"
"""Output of the stack of the checks: the bucket with what is kept of them."""


def partition(environment: Environment) -> str:
    """The AWS partition of the environment's region."""
    if environment.region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if environment.region.startswith("us-gov-") else "aws"


def secret_prefix(environment: Environment) -> str:
    """What stands before the variable in the names of the environment's secrets."""
    return f"strandline/{environment.name}/"


def secret_name(environment: Environment, variable: str) -> str:
    """Names the secret of a variable; the handler finds it by the same rule."""
    return f"{secret_prefix(environment)}{variable}"


def secret_arn(environment: Environment, variable: str) -> str:
    """The ARN of a variable's secret without the hyphen and six characters that Secrets Manager adds."""
    return (
        f"arn:{partition(environment)}:secretsmanager:{environment.region}:{environment.account}:"
        f"secret:{secret_name(environment, variable)}"
    )


def release_bucket(environment: Environment) -> str:
    """Names the bucket that keeps what was promoted to the environment."""
    return f"strandline-releases-{environment.name}-{environment.account}-{environment.region}"


def next_key(variable: str) -> str:
    """The variable of the key that follows one of the gateway's own, which every task takes already."""
    return variable + NEXT_SUFFIX


def agent_key(agent: str) -> str:
    """The variable of the key that the gateway mints for an agent."""
    return f"GATEWAY_KEY_{agent.upper().replace('-', '_')}"


def agent_stack_id(agent: str) -> str:
    """Id of an agent's stack in its stage; CloudFormation knows no underscore."""
    return f"Agent-{agent.replace('_', '-')}"


def role_path(environment: Environment, agent: str) -> str:
    """The IAM path of an agent's execution roles, of which each set of rights has its own."""
    return f"/strandline/{environment.name}/{agent}/"


def permissions_boundary_arn(environment: Environment) -> str | None:
    """The ARN of the environment's permissions boundary, which may be configured by its name."""
    boundary = environment.permissions_boundary
    if boundary is None or boundary.startswith("arn:"):
        return boundary
    return f"arn:{partition(environment)}:iam::{environment.account}:policy/{boundary}"
