"""The versions of one secret, by Secrets Manager's staging labels: AWSPENDING, AWSCURRENT, AWSPREVIOUS.

Every move may be made again, after a crash or by somebody else at the same time, and ends where it would have ended:
what was done is read from the labels themselves, and there is no state beside them. At every moment one version is
AWSCURRENT ("How rotation works", AWS Secrets Manager). The command line and the rotation function move labels by this.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

CURRENT = "AWSCURRENT"
PENDING = "AWSPENDING"
PREVIOUS = "AWSPREVIOUS"


class LabelsMoved(Exception):
    """Raised when somebody else moved the secret on meanwhile; nothing was changed."""


class NotText(Exception):
    """Raised when a version's value is binary, or there is none."""


@dataclass(frozen=True)
class Labels:
    """Id of the version behind each label.

    Attributes:
        current: What consumers read; nothing while the secret has no value.
        pending: What is staged, and not yet theirs.
        previous: What they read before.
    """

    current: str | None = None
    pending: str | None = None
    previous: str | None = None


class SecretVersions:
    """The versions of one secret; what Secrets Manager refuses is raised as boto3 raises it.

    Args:
        client: boto3's client of Secrets Manager.
        secret: Name or ARN of the secret.
    """

    def __init__(self, client: Any, secret: str) -> None:
        self._client = client
        self.secret = secret

    def labels(self) -> Labels:
        """Reads the labels.

        Returns:
            Where they are.
        """
        answer = self._ask("describe_secret")
        versions = {
            label: version for version, labels in answer.get("VersionIdsToStages", {}).items() for label in labels
        }
        return Labels(versions.get(CURRENT), versions.get(PENDING), versions.get(PREVIOUS))

    def read(self, version: str) -> str:
        """Reads a version's value.

        Args:
            version: Its id.

        Returns:
            The value.

        Raises:
            NotText: The value is no text.
        """
        answer = self._ask("get_secret_value", VersionId=version)
        if "SecretString" not in answer:
            raise NotText(f"Version {version} of {self.secret} is binary: a key is text.")
        return str(answer["SecretString"])

    def staged(self, version: str) -> str | None:
        """Reads a version's value while it is staged; it takes no right to read what is in use.

        Args:
            version: Its id.

        Returns:
            The value; nothing where it is not staged, or Secrets Manager has staged the version alone.
        """
        try:
            # Not by `_ask`: that there is none is an answer here.
            answer = self._client.get_secret_value(SecretId=self.secret, VersionId=version, VersionStage=PENDING)
        except self._client.exceptions.ResourceNotFoundException:
            return None
        value: str | None = answer.get("SecretString")
        return value

    def made_at(self) -> dt.datetime | None:
        """When the current version was made; nothing where there is none."""
        versions = self._ask("list_secret_version_ids").get("Versions", ())
        return next((one["CreatedDate"] for one in versions if CURRENT in one.get("VersionStages", ())), None)

    def changed_at(self) -> dt.datetime:
        """When anything of the secret was changed last, as a move of a label does."""
        changed: dt.datetime = self._ask("describe_secret")["LastChangedDate"]
        return changed

    def stage(self, value: str, token: str) -> str:
        """Puts a value beside the current one, as AWSPENDING; consumers do not see it.

        Args:
            value: The new value.
            token: A UUID; the same token and value make the same version once.

        Returns:
            Id of the version.

        Raises:
            LabelsMoved: Another value is staged already.
        """
        pending = self.labels().pending
        if pending not in (None, token):
            raise LabelsMoved(
                f"{self.secret} has version {pending} staged: a rotation has not ended. Go on with it, or give it up "
                "(strandline rotate --abandon)."
            )
        if pending is None:
            self.put(value, token)
        return token

    def put(self, value: str, token: str) -> None:
        """Writes a version as AWSPENDING, also where Secrets Manager itself has staged the token without a value.

        Args:
            value: The value.
            token: Id of the version.
        """
        self._ask("put_secret_value", ClientRequestToken=token, SecretString=value, VersionStages=[PENDING])

    def promote(self, version: str) -> Labels:
        """Makes the staged version the current one; the current one becomes AWSPREVIOUS.

        It stays staged as well until `discard`: whoever goes on after a crash sees that something is left to do.

        Args:
            version: The version that was verified.

        Returns:
            The labels afterwards.

        Raises:
            LabelsMoved: It is neither staged nor current.
        """
        labels = self.labels()
        if labels.current == version:
            return labels
        if labels.pending != version:
            raise LabelsMoved(f"Version {version} of {self.secret} is not staged: nothing was changed.")
        # One call moves the label, and Secrets Manager moves AWSPREVIOUS with it.
        self._move(CURRENT, to=version, away_from=labels.current)
        return self.labels()

    def discard(self, version: str) -> None:
        """Takes AWSPENDING from a version: the end of a rotation, or of one that is given up.

        Secrets Manager forgets a version without a label.

        Args:
            version: The version; nothing happens where it is not staged.
        """
        if self.labels().pending == version:
            self._move(PENDING, to=None, away_from=version)

    def _move(self, label: str, *, to: str | None, away_from: str | None) -> None:
        places = {"MoveToVersionId": to, "RemoveFromVersionId": away_from}
        given = {name: version for name, version in places.items() if version is not None}
        self._ask("update_secret_version_stage", VersionStage=label, **given)

    def _ask(self, operation: str, **request: Any) -> Any:
        return getattr(self._client, operation)(SecretId=self.secret, **request)
