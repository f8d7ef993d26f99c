# mypy: disable-error-code="import-not-found"

"""Secrets Manager: secrets without a value, rotation schedules, resource policies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ministack.core import iam_evaluator
from ministack.services import secretsmanager
from ministack.services.cloudformation import provisioners

from .registry import Made, Properties, ResourceType, inherited, wrap

if TYPE_CHECKING:
    from ..context import Context

_SECRET = "AWS::SecretsManager::Secret"  # noqa: S105 - the name of a type
_VALUES = ("SecretString", "GenerateSecretString")
_TEMPLATE = ("SecretStringTemplate", "GenerateStringKey")
_ERROR_STATUS = 300


def types(context: Context) -> dict[str, ResourceType]:
    """The types of this module."""
    del context
    _mend_secret()
    return {
        "AWS::SecretsManager::RotationSchedule": ResourceType(
            schedule, cancel, lambda secret, _old, new, stack: schedule(secret, new, stack), replacing=("SecretId",)
        ),
        "AWS::SecretsManager::ResourcePolicy": ResourceType(
            put_policy,
            delete_policy,
            lambda secret, _old, new, stack: put_policy(secret, new, stack),
            replacing=("SecretId",),
        ),
    }


def _mend_secret() -> None:
    """Three mends of AWS::SecretsManager::Secret.

    `Ref` is the ARN, where MiniStack gives the name: a policy that names the secret by `Ref` would match nothing. A
    secret with neither SecretString nor GenerateSecretString has no value, where MiniStack gives it an empty one. A
    generated value follows all of GenerateSecretString, where MiniStack looks at the length and the excluded
    characters alone.
    """
    handlers = inherited(_SECRET)
    provisioners._sm_secret_string = secret_string

    def create(logical_id: str, properties: Properties, stack: str) -> Made:
        name, attributes = handlers["create"](logical_id, properties, stack)
        if not _declares_value(properties):
            record = secretsmanager._secrets[name]
            record["Versions"] = {}
            secretsmanager._secrets[name] = record
        return attributes["Arn"], attributes

    def update(arn: str, old: Properties, new: Properties, stack: str, logical_id: str) -> Made:
        name, _ = _secret(arn)
        if _declares_value(old) and not _declares_value(new):
            # AWS keeps the value when the template stops to speak of it.
            new = new | {key: old[key] for key in _VALUES if key in old}
        _, attributes = handlers["update"](name, old, new, stack, logical_id)
        return attributes["Arn"], attributes

    def delete(arn: str, properties: Properties) -> None:
        name, record = _find(arn)
        if record is not None:
            handlers["delete"](name, properties)

    wrap(_SECRET, create=create, update=update, update_with_logical_id=True, delete=delete)


def _declares_value(properties: Properties) -> bool:
    return any(key in properties for key in _VALUES)


def secret_string(properties: Properties) -> str:
    """The value that a template declares or has generated."""
    if "SecretString" in properties:
        return str(properties["SecretString"])
    rules = properties.get("GenerateSecretString") or {}
    request = {key: _plain(value) for key, value in rules.items() if key not in _TEMPLATE}
    status, _, body = secretsmanager._get_random_password({"RequireEachIncludedType": True, **request})
    answer = json.loads(body)
    if status >= _ERROR_STATUS:
        raise ValueError(str(answer.get("message", "GenerateSecretString was refused")))
    generated: str = answer["RandomPassword"]
    if "SecretStringTemplate" not in rules:
        return generated
    try:
        members = json.loads(rules["SecretStringTemplate"])
    except ValueError:
        raise ValueError("Could not parse SecretStringTemplate JSON.") from None
    return json.dumps(members | {rules["GenerateStringKey"]: generated})


def _plain(value: Any) -> Any:
    """A template's booleans and numbers may come as text."""
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    return int(value) if isinstance(value, str) and value.isdigit() else value


def schedule(_logical_id: str, properties: Properties, _stack: str) -> Made:
    """Note who rotates a secret, and when; `Ref` is the secret's ARN."""
    name, record = _secret(properties["SecretId"])
    record["RotationEnabled"] = True
    record["RotationLambdaARN"] = properties.get("RotationLambdaARN")
    record["RotationRules"] = properties.get("RotationRules")
    secretsmanager._secrets[name] = record
    return record["ARN"], {"Id": record["ARN"]}


def cancel(_physical_id: str, properties: Properties) -> None:
    """No rotation any more; a secret that is gone took it along."""
    name, record = _find(properties["SecretId"])
    if record is not None:
        record |= {"RotationEnabled": False, "RotationRules": None}
        secretsmanager._secrets[name] = record


def put_policy(_logical_id: str, properties: Properties, _stack: str) -> Made:
    """Set the policy; one that cannot be read is refused."""
    _, record = _secret(properties["SecretId"])
    policy = properties["ResourcePolicy"]
    document = policy if isinstance(policy, str) else json.dumps(policy)
    fault = iam_evaluator.validate_policy_document(document)
    if fault:
        raise ValueError(f"This resource policy contains a syntax error: {fault}")
    status, _, body = secretsmanager._put_resource_policy({"SecretId": record["ARN"], "ResourcePolicy": document})
    if status >= _ERROR_STATUS:
        raise ValueError(str(json.loads(body).get("message", "the resource policy was refused")))
    return record["ARN"], {"Id": record["ARN"]}


def delete_policy(_physical_id: str, properties: Properties) -> None:
    """No policy any more."""
    secretsmanager._delete_resource_policy({"SecretId": properties["SecretId"]})


def _find(secret_id: str) -> tuple[str, dict[str, Any] | None]:
    name, record = secretsmanager._resolve(secret_id, use_arn_scope=True)
    return str(name), record


def _secret(secret_id: str) -> tuple[str, dict[str, Any]]:
    name, record = _find(secret_id)
    if record is None:
        raise ValueError(f"Secrets Manager can't find the specified secret {secret_id}.")
    return name, record
