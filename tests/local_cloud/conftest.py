"""One cloud for all tests of this folder; those that end it, or change how it runs, make their own."""

from __future__ import annotations

import json

import pytest

from strandline.local_cloud import LocalCloud
from strandline.local_cloud.paths import EMULATOR_LOCK
from strandline.local_cloud.settings import CloudSettings, Image
from strandline.toolchain import ensure_virtual_environment
from tests.local_cloud.cloud_clients import PROGRAMS, Clients, free_port, zipped
from tests.support.drill import ROOT
from tests.support.managed_world import managed_world
from tests.support.openai_server import OpenAIServer, Reply


@pytest.fixture(scope="session")
def emulator():
    """The emulator's virtual environment, built once and lent to every cloud of the tests."""
    return ensure_virtual_environment("emulator", EMULATOR_LOCK, ROOT / ".strandline")


@pytest.fixture(scope="session")
def make_cloud(emulator, tmp_path_factory):
    """Makes clouds, and sees that none is left."""
    made = []
    python = str(emulator / "bin" / "python")
    tiny = Image("*tiny", (python, str(PROGRAMS / "server.py")), ("--host", "{address}"))

    def make(images=(tiny,), **limits):
        home = tmp_path_factory.mktemp("cloud")
        (home / "venvs").symlink_to(emulator.parent)
        settings = CloudSettings(images=images, limits={"idle_scale": 0.01, "health_scale": 0.1, "stop": 2.0, **limits})
        cloud = LocalCloud(home, settings)
        made.append(cloud)
        return cloud

    yield make
    for cloud in made:
        cloud.down()


@pytest.fixture(scope="session")
def cloud(make_cloud):
    cloud = make_cloud(start_v2=5.0, steady=40.0)
    cloud.up(free_port())
    return cloud


@pytest.fixture(scope="session")
def aws(cloud):
    return Clients(cloud.url)


@pytest.fixture(scope="session")
def world(make_cloud, tmp_path_factory):
    """A managed gateway, its agents and their provider, on a cloud of their own."""
    cloud = make_cloud()
    cloud.up(free_port())
    folder = tmp_path_factory.mktemp("world")
    with OpenAIServer(Reply(delay=0.1, pause=0.02)) as provider, managed_world(cloud, folder, provider) as made:
        yield made


@pytest.fixture(scope="session")
def code(aws):
    """The bucket with the stand-in agent."""
    aws.s3.create_bucket(Bucket="code")
    aws.s3.put_object(Bucket="code", Key="agent.zip", Body=zipped("agent.py"))
    return "code"


@pytest.fixture
def assume(aws, cloud):
    """Clients with the rights of a new role."""

    def make(name, statements):
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow"} | each for each in statements]}
        anyone = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [anyone]})
        arn = aws.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        aws.iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=json.dumps(policy))
        given = aws.sts.assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        keys = {
            "aws_access_key_id": given["AccessKeyId"],
            "aws_secret_access_key": given["SecretAccessKey"],
            "aws_session_token": given["SessionToken"],
        }
        return Clients(cloud.url, credentials=keys)

    return make
