"""The gateway's service in ECS, found by its stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from strandline.targets import Target


@dataclass(frozen=True, slots=True)
class GatewayService:
    """Where ECS keeps the gateway.

    Attributes:
        cluster: The cluster.
        service: The service in it.
    """

    cluster: str
    service: str

    def describe(self, client: Any) -> dict[str, Any]:
        """Asks ECS for the service ("DescribeServices"); nothing where it is gone.

        Args:
            client: boto3's client of ECS.

        Returns:
            What ECS tells of it.
        """
        services = client.describe_services(cluster=self.cluster, services=[self.service])["services"]
        return dict(services[0]) if services else {}


def find_gateway(target: Target) -> GatewayService | None:
    """Finds the gateway of an environment.

    Args:
        target: The environment.

    Returns:
        Where it is; nothing where none is deployed.
    """
    from botocore.exceptions import ClientError

    try:
        resources = target.client("cloudformation").describe_stack_resources(StackName=target.stack_name("Gateway"))
    except ClientError as error:
        # "DescribeStackResources", AWS CloudFormation: a stack that does not exist is a ValidationError.
        if error.response["Error"].get("Code") != "ValidationError":
            raise
        return None
    found = {one["ResourceType"]: one.get("PhysicalResourceId", "") for one in resources["StackResources"]}
    if "AWS::ECS::Service" not in found:
        return None
    return GatewayService(found["AWS::ECS::Cluster"], found["AWS::ECS::Service"])
