"""A managed gateway and two agents on a local cloud, for drills: what `strandline deploy` makes, but for the hosts.

The local cloud has no RDS, so the gateway's proxy and the handlers run as processes of ours. All else is the real
thing: LiteLLM with PostgreSQL, the handlers, the deployed function that mints keys with a role of its own, Secrets
Manager, and the rotations of the command line.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from rich.console import Console

from agent_runtime.bundle import build_bundle
from gateway.compile import compile_config
from gateway.proxy.paths import INFERENCE_PATHS
from stacks.constructs.deployment_function import RUNTIME, archive_of_functions
from stacks.custom_resources.key_rotation import AGENT_TAG
from stacks.gateway_target import gateway_target
from stacks.names import KEY_MAKER_OUTPUT
from stacks.project import Project, load_project
from strandline.rotation.kinds import open_rotation
from strandline.rotation.steps import Runner
from strandline.targets import Target, find_environment
from tests.local_cloud.cloud_clients import Clients, role
from tests.stacks.projects import blueprint, write_project
from tests.support.drill import CACHE_SECONDS, Handler, handler_process
from tests.support.litellm_proxy import MASTER_KEY, litellm_proxy
from tests.support.managed_proxy import database_variables, migrated_database
from tests.support.servers import demand_passwords

if TYPE_CHECKING:
    from tests.support.openai_server import OpenAIServer

ENVIRONMENT = "local"
STACK = "Local-Gateway"
PREFIX = f"strandline/{ENVIRONMENT}/"
BEHIND, DIRECT = "tide", "moon"
AGENT_KEY = "GATEWAY_KEY_TIDE"
HEADERS = {"CF-Access-Client-Id": "ACCESS_ID", "CF-Access-Client-Secret": "ACCESS_SECRET"}
PROVIDER_KEY, ADMINISTRATOR, DATABASE_KEY = "canary-provider-1d0c", "canary-administrator-1", "canary-database-77"
_ROUTES = [f"{prefix}{path}" for path in INFERENCE_PATHS for prefix in ("", "/v1")]
_ANYTHING = "arn:aws:secretsmanager:us-east-1:000000000000:secret:" + PREFIX


@dataclass
class ManagedWorld:
    """What runs.

    Attributes:
        target: The environment.
        project: The user's files.
        aws: Clients of the cloud.
        provider: Who answers in the end.
        gateway: Address of the proxy.
        database: URL of its database, for the owner.
        handlers: The agents' handlers.
        console: What the commands told.
        logs: Files that anything wrote.
    """

    target: Target
    project: Project
    aws: Clients
    provider: OpenAIServer
    gateway: str
    database: str
    handlers: dict[str, Handler]
    console: Console
    logs: list[Path]

    def rotate(self, *names: str, values: dict[str, str] | None = None, **options) -> None:
        """Rotates as `strandline rotate` does, with the drill's times."""
        runner = Runner(
            self.target, self.project, self.console, cache_seconds=CACHE_SECONDS, margin_seconds=2, **options
        )
        runner.run(open_rotation(self.target, self.project, names, lambda *_: None), (values or {}).__getitem__)

    def version(self, variable: str) -> str:
        """Id of the current version of a variable's secret."""
        stages = self.aws.secretsmanager.describe_secret(SecretId=PREFIX + variable)["VersionIdsToStages"]
        return next(version for version, labels in stages.items() if "AWSCURRENT" in labels)

    def value(self, variable: str, label: str = "AWSCURRENT") -> str:
        """The value of a variable's secret."""
        return self.aws.secretsmanager.get_secret_value(SecretId=PREFIX + variable, VersionStage=label)["SecretString"]

    def opens(self, key: str) -> bool:
        """Whether the gateway takes a key."""
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.get(f"{self.gateway}/v1/models", headers=headers, timeout=60).status_code == 200


@contextmanager
def managed_world(cloud, folder: Path, provider: OpenAIServer):
    """Makes the world on a cloud that runs, which nothing else is deployed on."""
    aws = Clients(cloud.url)
    root = _write(folder, provider)
    environment = find_environment(ENVIRONMENT, root / "environments.yaml")
    project = load_project(root / "blueprints")
    target = Target(environment, cloud.environment())
    _make_secrets(aws)
    config = folder / "config.yaml"
    config.write_text(compile_config(project.gateway, gateway_target(environment, project.agents_of(environment))))
    database = migrated_database()
    own = demand_passwords(database, ADMINISTRATOR, f"gateway_{folder.name.replace('-', '_').lower()}", DATABASE_KEY)
    with ExitStack() as stack:
        proxy, log = stack.enter_context(litellm_proxy(config, **database_variables(own), OPENAI_API_KEY=PROVIDER_KEY))
        logs = [log]
        stack.callback(aws.remove, STACK)
        _deploy_key_maker(aws, proxy)
        handlers = {}
        for agent in project.agents_of(environment):
            logs.append(folder / f"{agent.blueprint.id}.log")
            variables = _variables(cloud, aws, build_bundle(agent), proxy if agent.blueprint.uses_gateway else None)
            handlers[agent.blueprint.id] = stack.enter_context(handler_process(variables, logs[-1]))
        console = Console(file=StringIO(), width=110)
        yield ManagedWorld(target, project, aws, provider, proxy, database, handlers, console, logs)


def _write(folder: Path, provider: OpenAIServer) -> Path:
    place = {"account": "000000000000", "region": "us-east-1"}
    environments = {ENVIRONMENT: {**place, "execution_mode": "staging", "gateway": {"profile": "managed"}}}
    at_provider = {"model_base_url": provider.base_url, "model_api_key_env": "DIRECT_KEY"}
    agents = [blueprint(BEHIND), blueprint(DIRECT, **at_provider, model_extra_headers_env=HEADERS)]
    model = {"model": "openai/gpt-4.1-mini", "api_base": provider.base_url, "api_key_env": "OPENAI_API_KEY"}
    return write_project(folder, agents, environments, {"models": {"demo": model}})


def _make_secrets(aws: Clients) -> None:
    values = {
        "LITELLM_MASTER_KEY": MASTER_KEY,
        "DIRECT_KEY": "canary-direct-5ba1",
        "ACCESS_ID": "canary-id-1",
        "ACCESS_SECRET": "canary-header-1",
    }
    for name, value in values.items():
        aws.secretsmanager.create_secret(Name=PREFIX + name, SecretString=value)


def _deploy_key_maker(aws: Clients, gateway: str) -> None:
    """The function as it is packed for AWS, with the rights of `stacks/constructs/gateway_keys.py`, and one key."""
    aws.s3.create_bucket(Bucket="key-maker")
    aws.s3.put_object(Bucket="key-maker", Key="functions.zip", Body=archive_of_functions())
    allowed = (
        {"Action": "secretsmanager:GetSecretValue", "Resource": f"{_ANYTHING}LITELLM_MASTER_KEY-*"},
        {
            "Action": [
                *("secretsmanager:PutSecretValue", "secretsmanager:DescribeSecret"),
                *("secretsmanager:UpdateSecretVersionStage", "secretsmanager:GetSecretValue"),
            ],
            "Resource": f"{_ANYTHING}GATEWAY_KEY_*",
        },
    )
    variables = {
        "STRANDLINE_ENVIRONMENT": ENVIRONMENT,
        "GATEWAY_URL": gateway,
        "MASTER_KEY_SECRET": f"{PREFIX}LITELLM_MASTER_KEY",
    }
    tag = {"Key": AGENT_TAG, "Value": BEHIND}
    template = {
        "Resources": {
            "Role": role("lambda.amazonaws.com", *allowed),
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Runtime": RUNTIME,
                    "Handler": "custom_resources.agent_key.handler",
                    "Code": {"S3Bucket": "key-maker", "S3Key": "functions.zip"},
                    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                    "Timeout": 120,
                    "Environment": {"Variables": variables},
                },
            },
            "Secret": {
                "Type": "AWS::SecretsManager::Secret",
                "Properties": {"Name": PREFIX + AGENT_KEY, "Tags": [tag]},
            },
            "Minted": {
                "Type": "Custom::StrandlineAgentKey",
                "Properties": {
                    "ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]},
                    "Agent": BEHIND,
                    "Secret": {"Ref": "Secret"},
                    "Models": ["demo"],
                    "Routes": _ROUTES,
                },
            },
        },
        "Outputs": {KEY_MAKER_OUTPUT: {"Value": {"Ref": "Function"}}},
    }
    deployed = aws.deploy(STACK, template)
    assert deployed.status == "CREATE_COMPLETE", deployed.reasons


def _variables(cloud, aws: Clients, bundle, gateway: str | None) -> dict[str, str]:
    """What AgentCore would give the handler."""
    bucket = "drill-bundles"
    aws.s3.create_bucket(Bucket=bucket)
    aws.s3.put_object(Bucket=bucket, Key=f"{bundle.sha256}.json", Body=bundle.content)
    known = cloud.environment()
    own = {"STRANDLINE_GATEWAY_URL": gateway, "STRANDLINE_GATEWAY_KEY": AGENT_KEY} if gateway else {}
    return {
        "AWS_ENDPOINT_URL": known["AWS_ENDPOINT_URL"],
        "AWS_ACCESS_KEY_ID": known["AWS_ACCESS_KEY_ID"],
        "AWS_SECRET_ACCESS_KEY": known["AWS_SECRET_ACCESS_KEY"],
        "AWS_DEFAULT_REGION": "us-east-1",
        "STRANDLINE_ENVIRONMENT": ENVIRONMENT,
        "STRANDLINE_EXECUTION_MODE": "staging",
        "STRANDLINE_BUNDLE": f"s3://{bucket}/{bundle.sha256}.json",
        "STRANDLINE_SECRETS": PREFIX,
        **own,
    }
