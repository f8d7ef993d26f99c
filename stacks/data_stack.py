"""What a managed gateway keeps: its database, and a Redis where tasks share limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam

from gateway.proxy.bootstrap import ROOT_CERTIFICATE
from stacks.base import EnvironmentStack
from stacks.constructs import gateway_database, gateway_redis
from stacks.constructs.gateway_database import GatewayDatabase
from stacks.constructs.gateway_redis import GatewayRedis
from stacks.names import partition
from stacks.rds_roots import root_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import aws_cdk as cdk

    from stacks.environments import Environment
    from stacks.gateway_data import Redis
    from stacks.network_stack import NetworkStack

ROLE = "gateway"
"""The role in the database that the gateway's tasks connect as; the migration makes it."""


@dataclass(frozen=True, slots=True)
class Administrator:
    """Who migrates the database.

    Attributes:
        variables: Where the database is, as the migration reads it from its environment; no secret.
        secret_arn: A JSON document with `password`, which RDS rotates.
    """

    variables: Mapping[str, str]
    secret_arn: str


@dataclass(frozen=True, slots=True)
class GatewayData:
    """What the gateway's stack needs of the data.

    Attributes:
        clients_id: Security group of whoever connects: the tasks, and the migration.
        variables: Where the data is, as LiteLLM reads it from a task's environment; no secret.
        statements: What a task has to be allowed in order to connect.
        administrator: Who migrates the database, where there is one.
    """

    clients_id: str
    variables: Mapping[str, str]
    statements: Sequence[iam.PolicyStatement]
    administrator: Administrator | None


class DataStack(EnvironmentStack):
    """Database and Redis of the gateway, apart from everything that is made anew.

    Args:
        scope: The environment's stage.
        construct_id: Id in the stage.
        environment: The environment; its gateway has a database, a Redis or both.
        network: The network that they stand in.

    Attributes:
        data: What the gateway needs of them; its stack has to depend on this one.
    """

    def __init__(self, scope: cdk.Stage, construct_id: str, *, environment: Environment, network: NetworkStack) -> None:
        super().__init__(
            scope, construct_id, environment=environment, description="database of the gateway", stateful=True
        )
        self._network = network
        self._clients = self._add_security_group("Clients", "Tasks of the gateway that reach its data")
        self._variables: dict[str, str] = {}
        self._statements: list[iam.PolicyStatement] = []
        administrator = self._add_database() if environment.gateway.is_managed else None
        if environment.gateway.redis:
            self._add_redis(environment.gateway.redis)
        clients = self.export(self._clients.security_group_id)
        self.data = GatewayData(clients, self._variables, self._statements, administrator)

    def _add_database(self) -> Administrator:
        database = GatewayDatabase(
            self,
            "Database",
            environment=self.target,
            subnet_ids=self._network.subnets.subnet_ids,
            security_group_id=self._add_server_group("Database", gateway_database.PORT),
        )
        place = {
            "DATABASE_HOST": self.export(database.host),
            "DATABASE_PORT": str(gateway_database.PORT),
            "DATABASE_NAME": gateway_database.DATABASE,
            ROOT_CERTIFICATE: root_of(self.target.region),
        }
        self._variables |= {
            **place,
            "DATABASE_USER": ROLE,
            "IAM_TOKEN_DB_AUTH": "True",
            # A task of its own migrates, before any server starts (`constructs/migration.py`).
            "DISABLE_SCHEMA_UPDATE": "True",
        }
        self._allow("rds-db:connect", f"dbuser:{self.export(database.resource_id)}/{ROLE}")
        return Administrator(
            {**place, "DATABASE_USERNAME": gateway_database.ADMINISTRATOR, "GATEWAY_ROLE": ROLE},
            self.export(database.administrator_secret_arn),
        )

    def _add_redis(self, settings: Redis) -> None:
        redis = GatewayRedis(
            self,
            "Redis",
            environment=self.target,
            node_type=settings.node_type,
            subnet_ids=self._network.subnets.subnet_ids,
            security_group_id=self._add_server_group("Redis", gateway_redis.PORT),
        )
        name = self.export(redis.name)
        self._variables |= {
            "REDIS_HOST": self.export(redis.host),
            "REDIS_PORT": str(gateway_redis.PORT),
            "REDIS_SSL": "True",
            "REDIS_AWS_IAM_AUTH": "True",
            "REDIS_AWS_IAM_USER_NAME": redis.user,
            "REDIS_AWS_IAM_CACHE_NAME": name,
        }
        self._allow("elasticache:Connect", f"replicationgroup:{name}", f"user:{redis.user}")

    def _allow(self, action: str, *resources: str) -> None:
        """Lets the gateway's tasks do one thing with resources of the action's own service."""
        service, _, _ = action.partition(":")
        owner = f"arn:{partition(self.target)}:{service}:{self.target.region}:{self.target.account}"
        arns = [f"{owner}:{resource}" for resource in resources]
        self._statements.append(iam.PolicyStatement(actions=[action], resources=arns))

    def _add_server_group(self, name: str, port: int) -> str:
        group = self._add_security_group(f"{name}SecurityGroup", f"{name} of the gateway")
        group.add_ingress_rule(self._clients, ec2.Port.tcp(port), "Tasks of the gateway")
        self._clients.add_egress_rule(group, ec2.Port.tcp(port), name)
        return group.security_group_id

    def _add_security_group(self, construct_id: str, description: str) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(
            self, construct_id, vpc=self._network.vpc, description=description, allow_all_outbound=False
        )
