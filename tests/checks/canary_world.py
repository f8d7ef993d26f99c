"""AgentCore's endpoints, Systems Manager, S3 and Logs Insights at the network's edge, as a canary meets them."""

from __future__ import annotations

import io
import json
import threading
from types import SimpleNamespace

from botocore.exceptions import ClientError

from stacks.custom_resources.canaries import Canaries, Clients
from stacks.custom_resources.canary_routes import Route

ARN = "arn:aws:bedrock-agentcore:eu-west-1:111111111111:runtime/production_tide-abc"
LIMITS = {
    "max_error_increase": 0.02,
    "max_fallback_increase": 0.1,
    "max_latency_ratio": 1.5,
    "max_cost_ratio": 1.5,
    "min_sessions": 20,
}
BEGAN, SECONDS = 1_800_000_000, 1800
ROUTE = "/strandline/production/tide/canary"


def route(version="8", live="7", *, began=BEGAN, share=0.1, agent="tide", release="r8"):
    return Route(agent, ARN, version, live, share, began, began + SECONDS, release, LIMITS)


class Control:
    """`bedrock-agentcore-control`: endpoints that move at once; `breaks` names those that cannot be moved."""

    class exceptions:
        class ResourceNotFoundException(Exception):
            pass

    def __init__(self, **versions):
        self.versions = versions
        self.moves = []
        self.breaks = set()

    def get_agent_runtime_endpoint(self, *, agentRuntimeId, endpointName):
        assert agentRuntimeId == "production_tide-abc"
        if endpointName not in self.versions:
            raise self.exceptions.ResourceNotFoundException
        return {"liveVersion": self.versions[endpointName], "status": "READY"}

    def list_agent_runtimes(self):
        name = {"agentRuntimeName": "production_tide", "agentRuntimeArn": ARN, "agentRuntimeVersion": "8"}
        return [{"agentRuntimes": [{**name, "status": "READY"}]}]

    def list_agent_runtime_versions(self, *, agentRuntimeId):
        return [{"agentRuntimes": [{"agentRuntimeVersion": at} for at in set(self.versions.values())]}]

    def list_agent_runtime_endpoints(self, *, agentRuntimeId):
        return [{"runtimeEndpoints": [{"name": name, "liveVersion": at} for name, at in self.versions.items()]}]

    def get_paginator(self, operation):
        return SimpleNamespace(paginate=getattr(self, operation))

    def get_agent_runtime(self, *, agentRuntimeId, agentRuntimeVersion):
        if agentRuntimeVersion not in self.versions.values():
            raise self.exceptions.ResourceNotFoundException
        bundle = f"s3://b/bundles/production_tide/{agentRuntimeVersion.rjust(64, '0')}.json"
        return {"environmentVariables": {"STRANDLINE_BUNDLE": bundle}, "roleArn": "arn:aws:iam::111111111111:role/r"}

    def update_agent_runtime_endpoint(self, *, agentRuntimeId, endpointName, agentRuntimeVersion):
        if endpointName in self.breaks:
            raise ConnectionError("the function was cut off")
        self.moves.append((endpointName, agentRuntimeVersion))
        self.versions[endpointName] = agentRuntimeVersion


class Parameters:
    """Systems Manager's parameters, of which only a new name is a condition of a write."""

    class exceptions:
        class ParameterNotFound(Exception):
            pass

        class ParameterAlreadyExists(Exception):
            pass

    def __init__(self):
        self.values = {}
        self.reads = 0
        self.fails = None
        self._lock = threading.Lock()

    def get_parameter(self, *, Name):
        self.reads += 1
        if self.fails:
            raise self.fails
        if Name not in self.values:
            raise self.exceptions.ParameterNotFound
        return {"Parameter": {"Value": self.values[Name]}}

    def put_parameter(self, *, Name, Value, Type, Overwrite):
        assert Type == "String"
        with self._lock:
            if not Overwrite and Name in self.values:
                raise self.exceptions.ParameterAlreadyExists
            self.values[Name] = Value

    def delete_parameter(self, *, Name):
        with self._lock:
            if Name not in self.values:
                raise self.exceptions.ParameterNotFound
            del self.values[Name]

    def get_paginator(self, name):
        assert name == "get_parameters_by_path"
        return self

    def paginate(self, *, Path, Recursive):
        assert Recursive
        found = [{"Name": name, "Value": value} for name, value in self.values.items() if name.startswith(Path)]
        return [{"Parameters": found[:1]}, {"Parameters": found[1:]}]


class Store:
    """S3: what was recorded."""

    exceptions = SimpleNamespace(ClientError=ClientError)

    def __init__(self):
        self.objects = {}

    def put_object(self, *, Bucket, Key, Body, ContentType):
        assert (Bucket, ContentType) == ("records", "application/json")
        self.objects[Key] = json.loads(Body)

    def get_object(self, *, Bucket, Key):
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        return {"Body": io.BytesIO(json.dumps(self.objects[Key]).encode())}


class Logs:
    """Logs Insights: gives the lines that it has, whatever is asked; the queries are kept."""

    def __init__(self, lines=()):
        self.lines = list(lines)
        self.queries = []
        self.status = "Complete"

    def start_query(self, **query):
        self.queries.append(query)
        return {"queryId": "1"}

    def get_query_results(self, *, queryId):
        rows = [[{"field": "@message", "value": line}, {"field": "@ptr", "value": "x"}] for line in self.lines]
        return {"status": self.status, "results": rows}


class World:
    """An environment in which version 7 is live and 8 has passed its checks."""

    def __init__(self, **versions):
        self.control = Control(**(versions or {"live": "7", "previous": "6", "canary": "8", "candidate": "8"}))
        self.parameters = Parameters()
        self.store = Store()
        self.logs = Logs()
        self.written = []
        clients = Clients(self.control, self.parameters, self.store)
        self.canaries = Canaries(clients, "production", "records", write=self.written.append)

    def record(self, version):
        return self.store.objects[f"canaries/tide/{version}.json"]

    @property
    def metrics(self):
        return [json.loads(line) for line in self.written]


def line(side, session, version="8", **told):
    """A line of metrics as the handler writes it."""
    members = {
        "session": f"strandline-v{version}-{side}-{session}",
        "Invocations": 1,
        "Latency": 100.0,
        "CostUsd": 0.001,
    }
    return json.dumps({**members, **told}, separators=(",", ":"))


def lines(canary, live, **told):
    """As many good sessions of each side, those of the canary with more to tell."""
    return [line("canary", n, **told) for n in range(canary)] + [line("live", n) for n in range(live)]


class Operator:
    """An environment as the commands open it, over the same world."""

    is_local = False

    def __init__(self, world, *, canary=True):
        self.world = world
        self.environment = SimpleNamespace(name="production", canary=canary or None, is_locked=False)

    def stack_name(self, name):
        return f"Production-{name}"

    def agent_stack_name(self, agent):
        return f"Production-Agent-{agent}"

    def client(self, service):
        return {
            "ssm": self.world.parameters,
            "bedrock-agentcore-control": self.world.control,
            "s3": self.world.store,
            "cloudformation": _Stacks(),
            "sts": SimpleNamespace(get_caller_identity=lambda: {"Arn": "arn:aws:iam::111111111111:user/ada"}),
            "logs": self.world.logs,
            "iam": SimpleNamespace(
                get_role=lambda RoleName: None, exceptions=SimpleNamespace(NoSuchEntityException=KeyError)
            ),
        }[service]


class _Stacks:
    exceptions = SimpleNamespace(ClientError=ClientError)

    def describe_stacks(self, *, StackName):
        return {"Stacks": [self._stack(StackName)]}

    def get_paginator(self, operation):
        assert operation == "describe_stacks"
        found = [self._stack(f"Production-{name}") for name in ("Checks", "Agent-tide")]
        return SimpleNamespace(paginate=lambda: [{"Stacks": found}])

    def _stack(self, name):
        told = {"Records": "records"}
        if name.endswith("tide"):
            told = {"RuntimeArn": ARN, "Protocol": "HTTP", "Agent": "tide"}
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in told.items()]
        return {"StackName": name, "StackStatus": "UPDATE_COMPLETE", "Outputs": outputs}
