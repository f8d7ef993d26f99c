"""What a managed gateway keeps: encrypted, by TLS only, without a password that anybody types or stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stacks.rds_roots import root_of
from tests.stacks.conftest import ENVIRONMENTS, KEY_ARN, PRODUCTION_KEY_ARN
from tests.stacks.gateways import container_of, task_of, variables_of
from tests.stacks.projects import Assembly, blueprint, synthesise, text_of, write_project

if TYPE_CHECKING:
    from pathlib import Path

INSTANCE, CLUSTER, CACHE = "AWS::RDS::DBInstance", "AWS::RDS::DBCluster", "AWS::ElastiCache::ReplicationGroup"
PARAMETERS = "AWS::RDS::DBParameterGroup"
MANAGED = ["Staging", "Production"]


@pytest.fixture(params=MANAGED)
def stage(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def aurora(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """An environment that throws its data away, with the other engine."""
    gateway = {"profile": "managed", "database": {"engine": "aurora", "min_acu": 0, "multi_az": True}, "redis": {}}
    environments = {"simulation": {**ENVIRONMENTS["simulation"], "gateway": gateway}}
    root = write_project(tmp_path_factory.mktemp("project"), [blueprint("a")], environments)
    return synthesise(root, tmp_path_factory.mktemp("assembly"))


def kinds(assembly: Assembly, path: str) -> list[str]:
    return [resource["Type"] for resource in assembly.documents[path]["Resources"].values()]


def test_only_a_managed_gateway_has_a_database(assembly: Assembly) -> None:
    assert {path.partition("/")[0] for path in assembly.stacks if path.endswith("/Data")} == set(MANAGED)


def test_only_a_gateway_of_several_tasks_has_a_redis(assembly: Assembly) -> None:
    assert CACHE not in kinds(assembly, "Staging/Data")
    assert CACHE in kinds(assembly, "Production/Data")


def test_storage_is_encrypted_by_the_environments_own_key(assembly: Assembly) -> None:
    for stage, key in (("Staging", KEY_ARN), ("Production", PRODUCTION_KEY_ARN)):
        instance = assembly.one(f"{stage}/Data", INSTANCE)
        assert (instance["StorageEncrypted"], instance["KmsKeyId"]) == (True, key)
        assert instance["MasterUserSecret"] == {"KmsKeyId": key}


def test_rds_makes_and_rotates_the_administrators_password(assembly: Assembly, stage: str) -> None:
    instance = assembly.one(f"{stage}/Data", INSTANCE)

    assert instance["ManageMasterUserPassword"] is True
    assert "MasterUserPassword" not in instance
    assert "resolve:" not in str(assembly.documents[f"{stage}/Data"])


def test_a_connection_without_tls_is_refused(assembly: Assembly, aurora: Assembly, stage: str) -> None:
    instance = assembly.one(f"{stage}/Data", INSTANCE)
    parameters = assembly.one(f"{stage}/Data", PARAMETERS)

    assert parameters["Parameters"] == {"rds.force_ssl": "1"}
    assert instance["DBParameterGroupName"]["Ref"].startswith("DatabaseParameters")
    assert parameters["Family"] == f"postgres{instance['EngineVersion'].partition('.')[0]}"
    cluster = aurora.one("Simulation/Data", "AWS::RDS::DBClusterParameterGroup")
    assert cluster["Parameters"] == {"rds.force_ssl": "1"}


def test_the_database_is_protected_and_leaves_a_snapshot_where_data_is_retained(assembly: Assembly, stage: str) -> None:
    ((_, _, resource),) = list(assembly.resources(INSTANCE, f"{stage}/Data"))

    assert resource["Properties"]["DeletionProtection"] is True
    assert resource["Properties"]["DeleteAutomatedBackups"] is False
    assert resource["Properties"]["BackupRetentionPeriod"] >= 7
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Snapshot", "Snapshot")
    assert assembly.stacks[f"{stage}/Data"]["properties"]["terminationProtection"] is True


def test_what_is_not_retained_goes_with_its_stack(aurora: Assembly) -> None:
    ((_, _, resource),) = list(aurora.resources(CLUSTER, "Simulation/Data"))

    assert resource["Properties"]["DeletionProtection"] is False
    assert resource["DeletionPolicy"] == "Delete"
    assert not aurora.stacks["Simulation/Data"]["properties"].get("terminationProtection", False)


def test_production_has_a_standby_in_another_zone_and_staging_the_smallest_of_all(assembly: Assembly) -> None:
    staging, production = (assembly.one(f"{stage}/Data", INSTANCE) for stage in MANAGED)

    assert (staging["MultiAZ"], production["MultiAZ"]) == (False, True)
    assert staging["DBInstanceClass"] == "db.t4g.micro"
    assert (staging["StorageType"], staging["AllocatedStorage"]) == ("gp3", "20")
    assert staging["MaxAllocatedStorage"] == 100


def test_aurora_scales_between_its_limits_in_two_zones(aurora: Assembly) -> None:
    cluster = aurora.one("Simulation/Data", CLUSTER)
    instances = [resource["Properties"] for _, _, resource in aurora.resources(INSTANCE, "Simulation/Data")]

    assert cluster["ServerlessV2ScalingConfiguration"] == {"MinCapacity": 0, "MaxCapacity": 2}
    assert (cluster["StorageEncrypted"], cluster["ManageMasterUserPassword"]) == (True, True)
    assert cluster["EnableIAMDatabaseAuthentication"] is True
    assert [instance["DBInstanceClass"] for instance in instances] == ["db.serverless"] * 2
    assert all(instance["PubliclyAccessible"] is False for instance in instances)


def test_redis_takes_tls_only_and_its_one_user_signs_in_by_iam(assembly: Assembly) -> None:
    cache = assembly.one("Production/Data", CACHE)
    user = assembly.one("Production/Data", "AWS::ElastiCache::User")
    users = assembly.one("Production/Data", "AWS::ElastiCache::UserGroup")

    assert (cache["Engine"], cache["CacheNodeType"]) == ("valkey", "cache.t4g.micro")
    assert (cache["TransitEncryptionEnabled"], cache["TransitEncryptionMode"]) == (True, "required")
    assert cache["AtRestEncryptionEnabled"] is True
    assert (cache["NumCacheClusters"], cache["AutomaticFailoverEnabled"], cache["MultiAZEnabled"]) == (2, True, True)
    assert "AuthToken" not in cache
    assert user["AuthenticationMode"] == {"Type": "iam"}
    assert user["UserId"] == user["UserName"] == "strandline-production-gateway"
    assert "Passwords" not in user
    assert cache["UserGroupIds"][0]["Ref"] in assembly.documents["Production/Data"]["Resources"]
    assert users["UserIds"] == [{"Ref": "RedisUser"}] or "RedisUser" in str(users["UserIds"])


def rules(assembly: Assembly, path: str) -> list[dict[str, Any]]:
    return [rule["Properties"] for _, _, rule in assembly.resources("AWS::EC2::SecurityGroupIngress", path)]


def test_only_the_gateways_tasks_reach_the_data(assembly: Assembly) -> None:
    found = rules(assembly, "Production/Data")
    groups = [group["Properties"] for _, _, group in assembly.resources("AWS::EC2::SecurityGroup", "Production/Data")]

    assert {(rule["FromPort"], rule["ToPort"]) for rule in found} == {(5432, 5432), (6379, 6379)}
    assert all("Clients" in rule["SourceSecurityGroupId"]["Fn::GetAtt"][0] for rule in found)
    assert not [group for group in groups if "SecurityGroupIngress" in group]
    service = assembly.one("Production/Gateway", "AWS::ECS::Service")["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert any("Clients" in text_of(group) for group in service["SecurityGroups"])
    assert assembly.one("Production/Data", INSTANCE)["PubliclyAccessible"] is False


def test_servers_sign_in_with_tokens_verify_the_database_and_never_migrate(assembly: Assembly, stage: str) -> None:
    variables = variables_of(container_of(assembly, f"{stage}/Gateway"))
    region = assembly.stacks[f"{stage}/Data"]["environment"].rpartition("/")[2]

    assert variables["IAM_TOKEN_DB_AUTH"] == "True"
    assert variables["DATABASE_USER"] == "gateway"
    assert "DATABASE_PASSWORD" not in str(task_of(assembly, f"{stage}/Gateway"))
    assert variables["DISABLE_SCHEMA_UPDATE"] == "True"
    assert variables["STRANDLINE_DATABASE_ROOT"] == root_of(region)
    assert assembly.one(f"{stage}/Data", INSTANCE)["CACertificateIdentifier"] == "rds-ca-rsa2048-g1"


def test_tasks_are_told_where_redis_is_and_no_password(assembly: Assembly) -> None:
    variables = variables_of(container_of(assembly, "Production/Gateway"))

    assert variables["REDIS_SSL"] == variables["REDIS_AWS_IAM_AUTH"] == "True"
    assert variables["REDIS_AWS_IAM_USER_NAME"] == "strandline-production-gateway"
    assert "REDIS_PASSWORD" not in str(assembly.documents["Production/Gateway"])
    assert "REDIS_HOST" not in variables_of(container_of(assembly, "Staging/Gateway"))


def test_the_stack_of_the_data_is_there_before_the_gateway(assembly: Assembly, stage: str) -> None:
    ids = {stack["displayName"]: stack for stack in assembly.stacks.values()}

    assert any(name.startswith(f"{stage}Data") for name in ids[f"{stage}/Gateway"]["dependencies"])


def test_a_region_whose_root_nobody_has_is_a_clear_message(tmp_path: Path) -> None:
    from agent_runtime.errors import InputError

    staging = {**ENVIRONMENTS["staging"], "region": "il-central-1"}
    staging.pop("kms_key_arn")
    root = write_project(tmp_path, [blueprint("a")], {"staging": staging})

    with pytest.raises(InputError, match=r"rds-roots\.pem holds no root certificate for a database in il-central-1"):
        synthesise(root, tmp_path / "out")
