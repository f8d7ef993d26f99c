"""The managed gateway's PostgreSQL: one RDS instance, or Aurora Serverless v2.

Nobody types, sees or stores a password. RDS makes the administrator's, keeps it in Secrets Manager and rotates it every
week; only the migration task reads it. The gateway's tasks connect as a role of their own with IAM tokens of fifteen
minutes, which LiteLLM renews by itself, so that a rotation touches no task that runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import aws_cdk as cdk
from aws_cdk import aws_rds as rds
from constructs import Construct

from stacks.nag import acknowledge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stacks.environments import Environment

DATABASE = "litellm"
ADMINISTRATOR = "strandline"
PORT = 5432  # LiteLLM puts no other into the address that it makes for migrations
_VERSION, _FAMILY = "17.9", "17"
# The default of RDS, written down because the tasks verify against it (`gateway/proxy/rds-roots.pem`).
_CERTIFICATE_AUTHORITY = "rds-ca-rsa2048-g1"
_FORCE_TLS = {"rds.force_ssl": "1"}
_MOST_GROWTH = 5
Secret = TypeVar("Secret")


class GatewayDatabase(Construct):
    """PostgreSQL with encrypted storage that takes only TLS.

    Args:
        scope: The stack.
        construct_id: Id in the stack.
        environment: The environment, for size and what becomes of data.
        subnet_ids: Private subnets in two zones or more.
        security_group_id: Who may connect.

    Attributes:
        host: Its name.
        resource_id: What IAM knows it by.
        administrator_secret_arn: Secret of the administrator, a JSON document with `password`.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        subnet_ids: Sequence[str],
        security_group_id: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self._environment = environment
        self._settings = environment.gateway.database
        self._security_group_id = security_group_id
        self._subnets = rds.CfnDBSubnetGroup(
            self,
            "Subnets",
            db_subnet_group_description=f"Database of the gateway in {environment.name}",
            subnet_ids=list(subnet_ids),
        )
        database = self._build_instance() if self._settings.engine == "postgres" else self._build_cluster()
        # A snapshot outlives the environments that keep their data; the others leave nothing behind.
        policy = cdk.RemovalPolicy.SNAPSHOT if environment.retains else cdk.RemovalPolicy.DESTROY
        database.apply_removal_policy(policy)
        reasons = {"AwsSolutions-RDS11": "Security groups decide who connects; another port would hide nothing."}
        if not environment.retains:
            reasons["AwsSolutions-RDS10"] = "What this environment holds is thrown away with it."
        if not self._settings.multi_az:
            reasons["AwsSolutions-RDS3"] = (
                "This environment can wait for a new instance; multi_az: true adds a standby."
            )
        acknowledge(self, reasons)

    def _build_instance(self) -> rds.CfnDBInstance:
        settings = self._settings
        parameters = rds.CfnDBParameterGroup(
            self, "Parameters", family=f"postgres{_FAMILY}", description="Only TLS", parameters=_FORCE_TLS
        )
        instance = rds.CfnDBInstance(
            self,
            "Instance",
            engine="postgres",
            engine_version=_VERSION,
            db_instance_class=settings.instance_class,
            db_name=DATABASE,
            db_parameter_group_name=parameters.ref,
            db_subnet_group_name=self._subnets.ref,
            vpc_security_groups=[self._security_group_id],
            port=str(PORT),
            publicly_accessible=False,
            multi_az=bool(settings.multi_az),
            storage_type="gp3",
            allocated_storage=str(settings.storage_gib),
            max_allocated_storage=settings.storage_gib * _MOST_GROWTH,
            storage_encrypted=True,
            kms_key_id=self._environment.kms_key_arn,
            master_username=ADMINISTRATOR,
            manage_master_user_password=True,
            master_user_secret=self._secret_of(rds.CfnDBInstance.MasterUserSecretProperty),
            enable_iam_database_authentication=True,
            ca_certificate_identifier=_CERTIFICATE_AUTHORITY,
            backup_retention_period=settings.backup_days,
            copy_tags_to_snapshot=True,
            delete_automated_backups=not self._environment.retains,
            deletion_protection=self._environment.retains,
            auto_minor_version_upgrade=True,
        )
        self.host = instance.attr_endpoint_address
        self.resource_id = instance.attr_dbi_resource_id
        self.administrator_secret_arn = instance.attr_master_user_secret_secret_arn
        return instance

    def _build_cluster(self) -> rds.CfnDBCluster:
        settings = self._settings
        parameters = rds.CfnDBClusterParameterGroup(
            self, "Parameters", family=f"aurora-postgresql{_FAMILY}", description="Only TLS", parameters=_FORCE_TLS
        )
        cluster = rds.CfnDBCluster(
            self,
            "Cluster",
            engine="aurora-postgresql",
            engine_version=_VERSION,
            database_name=DATABASE,
            db_cluster_parameter_group_name=parameters.ref,
            db_subnet_group_name=self._subnets.ref,
            vpc_security_group_ids=[self._security_group_id],
            port=PORT,
            serverless_v2_scaling_configuration=rds.CfnDBCluster.ServerlessV2ScalingConfigurationProperty(
                min_capacity=settings.min_acu, max_capacity=settings.max_acu
            ),
            storage_encrypted=True,
            kms_key_id=self._environment.kms_key_arn,
            master_username=ADMINISTRATOR,
            manage_master_user_password=True,
            master_user_secret=self._secret_of(rds.CfnDBCluster.MasterUserSecretProperty),
            enable_iam_database_authentication=True,
            backup_retention_period=settings.backup_days,
            copy_tags_to_snapshot=True,
            delete_automated_backups=not self._environment.retains,
            deletion_protection=self._environment.retains,
        )
        for number in range(2 if settings.multi_az else 1):
            rds.CfnDBInstance(
                self,
                f"Instance{number + 1}",
                engine="aurora-postgresql",
                db_instance_class="db.serverless",
                db_cluster_identifier=cluster.ref,
                publicly_accessible=False,
                ca_certificate_identifier=_CERTIFICATE_AUTHORITY,
                auto_minor_version_upgrade=True,
            )
        self.host = cluster.attr_endpoint_address
        self.resource_id = cluster.attr_db_cluster_resource_id
        self.administrator_secret_arn = cluster.attr_master_user_secret_secret_arn
        return cluster

    def _secret_of(self, kind: Callable[..., Secret]) -> Secret | None:
        """Where the environment has a key of its own, the administrator's secret is under it too."""
        key = self._environment.kms_key_arn
        return kind(kms_key_id=key) if key else None
