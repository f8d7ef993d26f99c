"""The Redis that the gateway's tasks share limits, cooldowns and answers in: ElastiCache for Valkey.

It takes only TLS, and only the gateway's own user with an IAM token: there is no password to keep or to rotate
("Authenticating with IAM", Amazon ElastiCache User Guide; `aws_iam_auth` in LiteLLM's Redis settings).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_elasticache as elasticache
from constructs import Construct

from stacks.nag import acknowledge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stacks.environments import Environment

PORT = 6379
_ENGINE, _VERSION = "valkey", "8.0"
# LiteLLM reads and writes keys and runs scripts; nothing of it administers the server. INFO is for its health check.
_MAY = "on ~* &* +@all -@admin -@dangerous +info"


class GatewayRedis(Construct):
    """Valkey with a replica in another zone where the database has one.

    Args:
        scope: The stack.
        construct_id: Id in the stack.
        environment: The environment, for size and zones.
        subnet_ids: Private subnets in two zones or more.
        security_group_id: Who may connect.

    Attributes:
        user: Name of the gateway's user.
        name: Name of the cache, which its users' tokens are for.
        host: Address of the node that takes writes.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        node_type: str,
        subnet_ids: Sequence[str],
        security_group_id: str,
    ) -> None:
        super().__init__(scope, construct_id)
        # With IAM a user's id is its name ("Authenticating with IAM"); ids are unique in account and region.
        self.user = f"strandline-{environment.name}-gateway"
        user = elasticache.CfnUser(
            self,
            "User",
            engine=_ENGINE,
            user_id=self.user,
            user_name=self.user,
            access_string=_MAY,
            authentication_mode={"Type": "iam"},
        )
        users = elasticache.CfnUserGroup(
            self, "Users", engine=_ENGINE, user_group_id=f"strandline-{environment.name}", user_ids=[user.ref]
        )
        subnets = elasticache.CfnSubnetGroup(
            self,
            "Subnets",
            description=f"Redis of the gateway in {environment.name}",
            subnet_ids=list(subnet_ids),
        )
        spread = bool(environment.gateway.database.multi_az)
        group = elasticache.CfnReplicationGroup(
            self,
            "Cache",
            replication_group_description=f"Limits, cooldowns and answers of the gateway in {environment.name}",
            engine=_ENGINE,
            engine_version=_VERSION,
            cache_node_type=node_type,
            cache_subnet_group_name=subnets.ref,
            security_group_ids=[security_group_id],
            port=PORT,
            num_cache_clusters=2 if spread else 1,
            automatic_failover_enabled=spread,
            multi_az_enabled=spread,
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            at_rest_encryption_enabled=True,
            kms_key_id=environment.kms_key_arn,
            user_group_ids=[users.ref],
            auto_minor_version_upgrade=True,
        )
        self.name = group.ref
        self.host = group.attr_primary_end_point_address
        reasons = {
            "AwsSolutions-AEC5": "Security groups decide who connects; another port would hide nothing.",
            "AwsSolutions-AEC6": "AUTH is one password for all; the one user of this cache signs in by IAM.",
        }
        if not spread:
            reasons["AwsSolutions-AEC4"] = "What is lost with the node is counters of a minute and cached answers."
        acknowledge(self, reasons)
