"""An environment whose AWS is botocore's stubber: each call is held to the API's model, and answered in order."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from types import SimpleNamespace

import boto3
from botocore.stub import Stubber


class StubbedTarget:
    """A context manager.

    Attributes:
        environment: The environment.
        stubs: The stubber of each service that was asked for.
    """

    def __init__(self, name="staging", *, is_locked=True):
        self.environment = SimpleNamespace(
            name=name, is_locked=is_locked, account="1" * 12, region="eu-west-1", canary=None
        )
        self.stubs = {}
        self._clients = {}
        self._stack = ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._stack.close()
        if exception[0] is None:
            for stub in self.stubs.values():
                stub.assert_no_pending_responses()

    def client(self, service):
        if service not in self._clients:
            self._clients[service] = _client(service)
            self.stubs[service] = self._stack.enter_context(Stubber(self._clients[service]))
        return self._clients[service]

    def stub(self, service):
        """The stubber of a service."""
        self.client(service)
        return self.stubs[service]

    def stack_name(self, name):
        return f"{self.environment.name.capitalize()}-{name}"

    def agent_stack_name(self, agent):
        return self.stack_name(f"Agent-{agent}")


@cache
def _client(service):
    """Making one takes long, and a stubber lets go of it at its end."""
    return boto3.client(service, region_name="eu-west-1", aws_access_key_id="1", aws_secret_access_key="2")
