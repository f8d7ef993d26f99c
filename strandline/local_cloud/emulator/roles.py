# mypy: disable-error-code="import-not-found"

"""What tasks and sessions may do: credentials of their roles, and questions to MiniStack's policy evaluator."""

from __future__ import annotations

import contextvars
import datetime
import json
import secrets
import time
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import request_scope
from ministack.services import iam, sts

_LIFETIME_SECONDS = 3600
PATH = "/_strandline/credentials/"


class Denied(Exception):
    """Raised when a role may not do what its task or session needs; the message is that of AWS."""


def role_name(role_arn: str) -> str:
    """The name at the end of a role's ARN, without its path."""
    return role_arn.rsplit("/", 1)[-1]


def account_of(arn: str) -> str:
    """The account in an ARN."""
    return arn.split(":")[4]


def find_role(role_arn: str) -> dict[str, Any] | None:
    """The role, in the account that its ARN names."""
    if role_arn.count(":") < 5 or ":role/" not in role_arn:  # noqa: PLR2004 - the fields of an ARN
        return None
    role: dict[str, Any] | None = iam._roles.get_scoped(account_of(role_arn), None, role_name(role_arn))
    return role if role and role.get("Arn") == role_arn else None


def trusts(role: dict[str, Any], service: str) -> bool:
    """Whether a role's trust policy lets a service assume it."""
    document = role.get("AssumeRolePolicyDocument") or "{}"
    statements = (json.loads(document) if isinstance(document, str) else document).get("Statement", [])
    statements = statements if isinstance(statements, list) else [statements]
    return any(
        statement.get("Effect") == "Allow"
        and service in _listed((statement.get("Principal") or {}).get("Service"))
        and "sts:AssumeRole" in _listed(statement.get("Action"))
        for statement in statements
        if isinstance(statement.get("Principal"), dict)
    )


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value] if value else []


def assume(role_arn: str, session_name: str) -> dict[str, str]:
    """Temporary credentials of a role, as the metadata endpoint of a container gives them."""
    role = find_role(role_arn) or {}
    key, secret, token = f"ASIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30), secrets.token_urlsafe(60)
    expiration = time.time() + _LIFETIME_SECONDS
    name = role_name(role_arn)
    sts.register_session(
        key,
        {
            "Arn": f"arn:aws:sts::{account_of(role_arn)}:assumed-role/{name}/{session_name}",
            "UserId": f"{role.get('RoleId', 'AROA')}:{session_name}",
            "SecretAccessKey": secret,
            "SessionToken": token,
            "Expiration": expiration,
            "AccountId": account_of(role_arn),
            "PrincipalType": "AssumedRole",
        },
    )
    return {
        "RoleArn": role_arn,
        "AccessKeyId": key,
        "SecretAccessKey": secret,
        "Token": token,
        "Expiration": datetime.datetime.fromtimestamp(expiration, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def require(role_arn: str, action: str, resource: str, region: str, session_name: str = "strandline") -> None:
    """Ask the evaluator whether a role may do something, resource policies and boundaries included.

    Raises:
        Denied: It may not; the message names role, action and resource.
    """
    # An empty context: the decision is about the role, whoever's request this thread happens to serve.
    denied = contextvars.Context().run(_decide, role_arn, action, resource, region)
    if denied:
        principal = f"arn:aws:sts::{account_of(role_arn)}:assumed-role/{role_name(role_arn)}/{session_name}"
        why = (
            "with an explicit deny"
            if denied == "Deny"
            else f"because no identity-based policy allows the {action} action"
        )
        raise Denied(f"User: {principal} is not authorized to perform: {action} on resource: {resource} {why}")


def _decide(role_arn: str, action: str, resource: str, region: str) -> str:
    if find_role(role_arn) is None:
        return "ImplicitDeny"
    with request_scope(account_of(role_arn), region):
        # Bucket policies deny what does not come over a secure transport, and the empty context has none.
        iam_evaluator.pin_request_origin("127.0.0.1", True)
        key = assume(role_arn, "strandline")["AccessKeyId"]
        try:
            result = iam_evaluator.enforce(key, action, action.split(":", 1)[0], region, resource_arn=resource)
        finally:
            sts._sessions.pop(key, None)
    return "" if result is None else str(getattr(result, "decision", "ImplicitDeny"))


class CredentialVendor:
    """Gives processes their role's credentials at a path of the emulator, against a token."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._grants: dict[str, tuple[str, str, str]] = {}

    def grant(self, role_arn: str, session_name: str) -> dict[str, str]:
        """The variables by which a process fetches, and refreshes, the role's credentials."""
        grant_id, token = secrets.token_urlsafe(18), secrets.token_urlsafe(30)
        self._grants[grant_id] = (token, role_arn, session_name)
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self._url}{PATH}{grant_id}",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": token,
        }

    def revoke(self, variables: dict[str, str]) -> None:
        """Forget a grant: its process is gone."""
        self._grants.pop(variables.get("AWS_CONTAINER_CREDENTIALS_FULL_URI", "").rsplit("/", 1)[-1], None)

    def answer(self, path: str, token: str) -> dict[str, str] | None:
        """The credentials for a request, or None if the token is not the one that was given."""
        expected, role_arn, session_name = self._grants.get(path.removeprefix(PATH), ("", "", ""))
        if not expected or not secrets.compare_digest(expected.encode(), token.encode()):
            return None
        return assume(role_arn, session_name)
