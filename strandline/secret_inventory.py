"""The environment's secrets as Secrets Manager tells of them: never a value."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from stacks.custom_resources.secret_versions import CURRENT
from strandline.aws_errors import told

if TYPE_CHECKING:
    from strandline.targets import Target

State = Literal["set", "empty", "missing", "deleted"]


@dataclass(frozen=True, slots=True)
class SecretReport:
    """One secret.

    Attributes:
        variable: Its name in the blueprints.
        secret: Its name in Secrets Manager.
        users: Ids of the agents that name it, and `gateway`; nobody where it is left over, or made by a deployment.
        state: empty while it has no value, missing before it is deployed, deleted while AWS keeps it for recovery.
        version: Id of the version AWSCURRENT.
        set_at: When that version was made.
        last_used: The day on which a value was last read, as AWS tells it; days in UTC.
        stages: Id of the version by every other staging label, such as AWSPREVIOUS.
    """

    variable: str
    secret: str
    users: tuple[str, ...]
    state: State
    version: str | None = None
    set_at: dt.datetime | None = None
    last_used: dt.date | None = None
    stages: Mapping[str, str] | None = None

    def age_days(self, now: dt.datetime) -> int | None:
        """Whole days since the value was set; nothing without a value."""
        return None if self.set_at is None else (now - self.set_at).days

    def mend(self, environment: str) -> str:
        """The command that mends a secret without a value."""
        if self.state == "missing":
            return f"strandline deploy --env {environment}"
        if self.state == "deleted":
            return f"aws secretsmanager restore-secret --secret-id {self.secret}"
        return f"strandline secrets set {self.variable} --env {environment}"


def take_secrets(target: Target, users: Mapping[str, Sequence[str]]) -> list[SecretReport]:
    """Asks Secrets Manager for every secret of the environment, and for those that its blueprints name besides.

    Args:
        target: The environment.
        users: Who names each variable.

    Returns:
        A report for each, by variable.

    Raises:
        EnvironmentFault: Secrets Manager refuses, or cannot be reached.
    """
    from stacks.names import secret_name, secret_prefix

    client = target.client("secretsmanager")
    prefix = secret_prefix(target.environment)
    with told("Secrets Manager", f"Secrets Manager does not list the secrets of {prefix}"):
        found = list_secrets(target, IncludePlannedDeletion=True)
        reports = [_report(client, variable, secret, users) for variable, secret in found.items()]
    reports += [
        SecretReport(variable, secret_name(target.environment, variable), tuple(named_by), "missing")
        for variable, named_by in users.items()
        if variable not in found
    ]
    return sorted(reports, key=lambda report: report.variable)


def list_secrets(target: Target, **options: Any) -> dict[str, Mapping[str, Any]]:
    """Lists the environment's secrets as Secrets Manager does ("ListSecrets").

    Args:
        target: The environment.
        **options: More of what ListSecrets takes.

    Returns:
        The entries by variable.
    """
    from stacks.names import secret_prefix

    prefix = secret_prefix(target.environment)
    pages = (
        target.client("secretsmanager")
        .get_paginator("list_secrets")
        .paginate(Filters=[{"Key": "name", "Values": [prefix]}], **options)
    )
    # The filter takes names that hold the prefix anywhere.
    return {
        secret["Name"].removeprefix(prefix): secret
        for page in pages
        for secret in page["SecretList"]
        if secret["Name"].startswith(prefix)
    }


def _report(client: Any, variable: str, secret: Mapping[str, Any], users: Mapping[str, Sequence[str]]) -> SecretReport:
    name, named_by = secret["Name"], tuple(users.get(variable, ()))
    if secret.get("DeletedDate"):
        return SecretReport(variable, name, named_by, "deleted")
    # Those with a staging label only: one label is on one version, and there are twenty labels at most.
    versions = client.list_secret_version_ids(SecretId=name, MaxResults=100)["Versions"]
    by_stage = {stage: version for version in versions for stage in version.get("VersionStages", ())}
    used = secret.get("LastAccessedDate")
    current = by_stage.pop(CURRENT, None)
    return SecretReport(
        variable,
        name,
        named_by,
        "set" if current else "empty",
        version=current["VersionId"] if current else None,
        set_at=current.get("CreatedDate") if current else None,
        last_used=used.astimezone(dt.UTC).date() if used else None,
        stages={stage: version["VersionId"] for stage, version in by_stage.items()},
    )
