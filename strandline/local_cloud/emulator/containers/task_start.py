# mypy: disable-error-code="import-not-found"

"""The start of a task: secrets and log with the execution role's rights, environment with the task role's."""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING, Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import ecs, secretsmanager

from .. import roles

if TYPE_CHECKING:
    from ..context import Context

_SECRET_ARN_FIELDS = 7
# The task definition whose task this thread starts; MiniStack does not hand it on to where it is needed.
_starting: contextvars.ContextVar[dict[str, Any]] = contextvars.ContextVar("starting")


def current_definition(options: dict[str, Any]) -> dict[str, Any]:
    """The container definition that a container is started for."""
    name = options["labels"]["com.amazonaws.ecs.container-name"]
    definitions: list[dict[str, Any]] = _starting.get()["containerDefinitions"]
    return next(definition for definition in definitions if definition["name"] == name)


def install(context: Context) -> None:
    """Stand between MiniStack and the start of a task."""
    start_worker, register, resolve = ecs._start_task_worker, ecs._register_metadata, ecs._resolve_container_secrets

    def start_task_worker(task: Any, definition: dict[str, Any], *rest: Any) -> None:
        token = _starting.set(definition)
        try:
            for container in definition.get("containerDefinitions", []):
                require_log(definition, container, task["taskArn"])
            start_worker(task, definition, *rest)
        finally:
            _starting.reset(token)

    def resolve_container_secrets(container: dict[str, Any]) -> dict[str, str]:
        require_secrets(_starting.get(), container)
        resolved: dict[str, str] = resolve(container)
        return resolved

    def register_metadata(
        task_arn: str,
        cluster: Any,
        definition: Any,
        container: Any,
        launch_type: Any,
        environment: dict[str, str],
        *_: Any,
    ) -> str:
        token: str = register(task_arn, cluster, definition, container, launch_type, environment, True, None)
        _give_role(context, definition, task_arn, environment)
        return token

    ecs._start_task_worker = start_task_worker
    ecs._resolve_container_secrets = resolve_container_secrets
    ecs._register_metadata = register_metadata


def _give_role(context: Context, definition: dict[str, Any], task_arn: str, environment: dict[str, str]) -> None:
    """MiniStack's credentials in a task are not those of its role."""
    for name in ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"):
        environment.pop(name, None)
    region = get_region()
    environment |= {"AWS_REGION": region, "AWS_DEFAULT_REGION": region, "AWS_ENDPOINT_URL": context.settings.url}
    if definition.get("taskRoleArn"):
        environment |= context.vendor.grant(definition["taskRoleArn"], task_arn.rsplit("/", 1)[-1])


def require_secrets(definition: dict[str, Any], container: dict[str, Any]) -> None:
    """Refuse the start, as the ECS agent does, when the execution role may not read a secret or it has no value.

    Raises:
        ecs._SecretResolutionError: With the secret's ARN and the role.
    """
    for secret in container.get("secrets", []):
        source = secret.get("valueFrom", "")
        role = definition.get("executionRoleArn")
        if not role:
            raise ecs._SecretResolutionError(f"the task definition has no execution role to read {source} with")
        try:
            _require_secret(role, source)
        except roles.Denied as denied:
            raise ecs._SecretResolutionError(
                f"unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret "
                f"{source} for environment variable {secret.get('name')}: AccessDeniedException: {denied}"
            ) from None


def _require_secret(role: str, source: str) -> None:
    region = get_region()
    if ":secretsmanager:" in source:
        arn = ":".join(source.split(":")[:_SECRET_ARN_FIELDS])
        _, record = secretsmanager._resolve(arn, use_arn_scope=True)
        roles.require(role, "secretsmanager:GetSecretValue", record["ARN"] if record else arn, region)
    else:
        name = source.split(":parameter/", 1)[-1].lstrip("/")
        arn = source if source.startswith("arn:") else f"arn:aws:ssm:{region}:{get_account_id()}:parameter/{name}"
        roles.require(role, "ssm:GetParameters", arn, region)


def require_log(definition: dict[str, Any], container: dict[str, Any], task_arn: str) -> None:
    """Refuse the start when the execution role may not write the task's log.

    Raises:
        RuntimeError: With the role and the log group.
    """
    config = ecs._awslogs_config(container, task_arn.rsplit("/", 1)[-1], "container")
    if config is None:
        return
    region = config["region"] or get_region()
    group = f"arn:aws:logs:{region}:{get_account_id()}:log-group:{config['group']}"
    for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
        try:
            roles.require(
                definition.get("executionRoleArn", ""), action, f"{group}:log-stream:{config['stream']}", region
            )
        except roles.Denied as denied:
            raise RuntimeError(f"failed to validate logger args: AccessDeniedException: {denied}") from None
