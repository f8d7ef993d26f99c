"""The database's password is RDS's to rotate: what RDS is asked, in the shapes that botocore knows."""

from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber

from agent_runtime.errors import EnvironmentFault, InputError
from strandline.rotation.database_password import rotate_database_password

SECRET = "arn:aws:secretsmanager:us-east-1:111111111111:secret:rds!db-1"
INSTANCE, CLUSTER = ("AWS::RDS::DBInstance", "db-1"), ("AWS::RDS::DBCluster", "cluster-1")


class Target:
    """An environment whose AWS answers what it is told to."""

    class environment:
        name = "staging"

    def __init__(self, *resources):
        self.clients = {
            name: boto3.client(name, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
            for name in ("rds", "cloudformation")
        }
        self.stubs = {name: Stubber(client) for name, client in self.clients.items()}
        for stub in self.stubs.values():
            stub.activate()
        answer = {"StackResourceSummaries": [resource(*one) for one in resources]}
        self.stubs["cloudformation"].add_response("list_stack_resources", answer, {"StackName": "Staging-Data"})

    def client(self, name):
        return self.clients[name]

    def stack_name(self, name):
        return f"Staging-{name}"

    def answers(self, kind, *statuses):
        """What RDS says at each look, the first of which comes before the change."""
        lower, member, identifier = kind
        for number, status in enumerate(statuses):
            secret = {"MasterUserSecret": {"SecretArn": SECRET, "SecretStatus": status}} if status else {}
            named = {f"{member}Identifier": identifier}
            self.stubs["rds"].add_response(f"describe_{lower}s", {f"{member}s": [{**named, **secret}]}, named)
            if number == 0 and status:
                asked = {**named, "RotateMasterUserPassword": True, "ApplyImmediately": True}
                self.stubs["rds"].add_response(f"modify_{lower}", {}, asked)


def resource(kind, name):
    return {
        "LogicalResourceId": "x",
        "ResourceType": kind,
        "PhysicalResourceId": name,
        "LastUpdatedTimestamp": 0,
        "ResourceStatus": "CREATE_COMPLETE",
    }


@pytest.mark.parametrize(
    ("resources", "kind"),
    [
        ([INSTANCE], ("db_instance", "DBInstance", "db-1")),
        # The instance of a cluster has no password of its own.
        ([INSTANCE, CLUSTER], ("db_cluster", "DBCluster", "cluster-1")),
    ],
)
def test_rds_is_asked_and_waited_for(resources, kind):
    target, told = Target(*resources), []
    target.answers(kind, "active", "active", "rotating", "active")

    assert rotate_database_password(target, told.append, sleep=lambda _: None) == SECRET

    assert told == ["database: active", "database: rotating"]
    for stub in target.stubs.values():
        stub.assert_no_pending_responses()


def test_an_environment_without_a_database_is_told():
    with pytest.raises(InputError, match="staging has no database"):
        rotate_database_password(Target(), print, sleep=lambda _: None)


def test_a_password_that_is_not_rdss_changes_nothing():
    target = Target(INSTANCE)
    target.answers(("db_instance", "DBInstance", "db-1"), None)

    with pytest.raises(EnvironmentFault, match="is not RDS's to rotate"):
        rotate_database_password(target, print, sleep=lambda _: None)
