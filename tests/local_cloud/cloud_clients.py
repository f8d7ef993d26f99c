# ruff: noqa: S310 - addresses of this machine
"""AWS clients of one local cloud, and the waits that its tests need."""

from __future__ import annotations

import io
import json
import socket
import time
import urllib.request
import zipfile
from pathlib import Path

import boto3
from botocore.config import Config

PROGRAMS = Path(__file__).parent / "programs"
ACCOUNT = "000000000000"
_PATIENCE = 60.0


class Clients:
    """boto3 clients that speak to one cloud, as an account's root unless told otherwise."""

    def __init__(self, url, account=ACCOUNT, credentials=None):
        self.url = url
        keys = credentials or {"aws_access_key_id": account, "aws_secret_access_key": "local"}
        self._session = boto3.Session(region_name="us-east-1", **keys)
        self._clients = {}

    def __getattr__(self, name):
        return self.get(name.replace("_", "-"))

    def get(self, service):
        if service not in self._clients:
            config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
            self._clients[service] = self._session.client(service, endpoint_url=self.url, config=config)
        return self._clients[service]

    def deploy(self, name, template, update=False):
        """Create or update a stack; returns its status, outputs and the reasons of what failed."""
        call = self.cloudformation.update_stack if update else self.cloudformation.create_stack
        call(StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"])
        stack = until(lambda: self._settled(name))
        events = self.cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        return Deployed(
            stack["StackStatus"],
            {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])},
            [event["ResourceStatusReason"] for event in events if "FAILED" in event["ResourceStatus"]],
        )

    def remove(self, name):
        self.cloudformation.delete_stack(StackName=name)
        until(lambda: name not in self._names())

    def _settled(self, name):
        stack = self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return None if stack["StackStatus"].endswith("IN_PROGRESS") else stack

    def _names(self):
        return [stack["StackName"] for stack in self.cloudformation.describe_stacks()["Stacks"]]


class Deployed:
    def __init__(self, status, outputs, reasons):
        self.status, self.outputs, self.reasons = status, outputs, reasons


def until(question, patience=_PATIENCE):
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        answer = question()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"waited {patience} s in vain")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def zipped(program):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.write(PROGRAMS / program, "main.py")
    return buffer.getvalue()


def fetch(url, timeout=10):
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return json.load(answer)


def trust(service):
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def role(service, *statements):
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow"} | statement for statement in statements]}
    policies = [{"PolicyName": "rights", "PolicyDocument": policy}] if statements else []
    properties = {"AssumeRolePolicyDocument": trust(service), "Policies": policies}
    return {"Type": "AWS::IAM::Role", "Properties": properties}
