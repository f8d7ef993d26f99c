"""The gateway's service in ECS, found by its stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from strandline.deployed_stacks import ids_by_kind, stack_resources

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

    Raises:
        EnvironmentFault: CloudFormation refuses, or cannot be reached.
    """
    found = ids_by_kind(stack_resources(target, target.stack_name("Gateway")))
    if "AWS::ECS::Service" not in found:
        return None
    return GatewayService(found["AWS::ECS::Cluster"], found["AWS::ECS::Service"])
