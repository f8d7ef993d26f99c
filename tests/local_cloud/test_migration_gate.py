"""The migration stands before the service: the function that CloudFormation calls is the deployed one, and really runs
the task in ECS and waits. A migration that fails leaves the tasks that serve."""

from __future__ import annotations

import pytest

from stacks.constructs.deployment_function import RUNTIME, archive_of_functions
from tests.local_cloud.cloud_clients import fetch, role
from tests.local_cloud.templates import service


def gated(mode, migration, owner="arn:aws:ecs:us-east-1:000000000000"):
    """The service of the other tests, which waits for a migration: what this Python does in a task of its own."""
    template = service(mode)
    resources = template["Resources"]
    in_cluster = {"Condition": {"ArnEquals": {"ecs:cluster": {"Fn::GetAtt": ["Cluster", "Arn"]}}}}
    container = {
        "Name": "migration",
        "Image": "registry.example/tiny:1",
        "EntryPoint": ["python3", "-c", migration],
        "LogConfiguration": resources["Definition"]["Properties"]["ContainerDefinitions"][0]["LogConfiguration"],
    }
    definition = resources["Definition"]["Properties"] | {"Family": "migration", "ContainerDefinitions": [container]}
    allowed = (
        {"Action": "ecs:RunTask", "Resource": f"{owner}:task-definition/migration:*", **in_cluster},
        {"Action": "ecs:DescribeTasks", "Resource": f"{owner}:task/*", **in_cluster},
        {"Action": "iam:PassRole", "Resource": {"Fn::GetAtt": ["ExecutionRole", "Arn"]}},
    )
    code = {"S3Bucket": "functions", "S3Key": "functions.zip"}
    resources |= {
        "MigrationDefinition": {"Type": "AWS::ECS::TaskDefinition", "Properties": definition},
        "FunctionRole": role("lambda.amazonaws.com", *allowed),
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": RUNTIME,
                "Handler": "custom_resources.migration.handler",
                "Code": code,
                "Role": {"Fn::GetAtt": ["FunctionRole", "Arn"]},
                "Timeout": 120,
                "Environment": {"Variables": {"CLUSTER": {"Ref": "Cluster"}}},
            },
        },
        "Applied": {
            "Type": "Custom::StrandlineMigration",
            "Properties": {
                "ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]},
                "ServiceTimeout": 150,
                "TaskDefinition": {"Ref": "MigrationDefinition"},
                "Subnets": [{"Ref": "Subnet"}],
                "SecurityGroups": ["sg-1"],
                "AssignPublicIp": "DISABLED",
            },
        },
    }
    resources["Service"]["DependsOn"] = ["Listener", "Applied"]
    return template


def appending(path, code=0):
    """A migration that leaves a line, and ends with a code."""
    return f"open({str(path)!r}, 'a').write('ran\\n'); raise SystemExit({code})"


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    return tmp_path_factory.mktemp("ledger") / "ran"


@pytest.fixture(scope="module")
def deployed(aws, ledger):
    aws.s3.create_bucket(Bucket="functions")
    aws.s3.put_object(Bucket="functions", Key="functions.zip", Body=archive_of_functions())
    done = aws.deploy("gated", gated("first", appending(ledger)))
    assert done.status == "CREATE_COMPLETE", done.reasons
    yield done.outputs
    aws.remove("gated")


def serving(outputs):
    return {fetch(f"http://{outputs['Dns']}:8080/x")["mode"] for _ in range(5)}


def runs(ledger):
    return len(ledger.read_text().splitlines())


def test_the_migration_has_run_when_the_first_task_serves(deployed, ledger):
    assert runs(ledger) == 1
    assert serving(deployed) == {"first"}


def test_a_migration_that_fails_stops_the_deployment_and_the_old_tasks_serve(aws, deployed, ledger):
    before = runs(ledger)

    failed = aws.deploy("gated", gated("second", appending(ledger, code=7)), update=True)

    assert failed.status == "UPDATE_ROLLBACK_COMPLETE"
    (reason,) = [reason for reason in failed.reasons if "migration" in reason]
    assert "the migration failed, and the gateway was left as it is" in reason
    assert "exit code 7" in reason
    assert serving(deployed) == {"first"}
    # The rollback asks for what is there already, and runs nothing.
    assert runs(ledger) == before + 1


def test_a_deployment_that_changes_the_service_alone_migrates_nothing(aws, deployed, ledger):
    before = runs(ledger)

    done = aws.deploy("gated", gated("third", appending(ledger)), update=True)

    assert done.status == "UPDATE_COMPLETE", done.reasons
    assert serving(deployed) == {"third"}
    assert runs(ledger) == before


def test_what_migrates_may_run_no_other_task(aws, deployed):
    policy = aws.iam.get_role_policy
    (name,) = [one["RoleName"] for one in aws.iam.list_roles()["Roles"] if "gated-FunctionRole" in one["RoleName"]]
    (document,) = aws.iam.list_role_policies(RoleName=name)["PolicyNames"]

    assert "migration:*" in str(policy(RoleName=name, PolicyName=document)["PolicyDocument"])
