"""The versions of one secret, by Secrets Manager's staging labels: AWSPENDING, AWSCURRENT, AWSPREVIOUS.

Every move may be made again, after a crash or by somebody else at the same time, and ends where it would have ended:
what was done is read from the labels themselves, and there is no state beside them. At every moment one version is
AWSCURRENT ("How rotation works", AWS Secrets Manager).
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import EnvironmentFault, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

CURRENT = "AWSCURRENT"
PENDING = "AWSPENDING"
PREVIOUS = "AWSPREVIOUS"


class RotationConflict(EnvironmentFault):
    """Raised when somebody else moved the secret on meanwhile; nothing was changed."""


@dataclass(frozen=True, slots=True)
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
    """The versions of one secret.

    Args:
        client: boto3's client of Secrets Manager.
        secret: Name of the secret.
    """

    def __init__(self, client: Any, secret: str) -> None:
        self._client = client
        self.secret = secret

    def labels(self) -> Labels:
        """Reads the labels.

        Returns:
            Where they are.

        Raises:
            InputError: There is no such secret.
            EnvironmentFault: Secrets Manager refuses, or cannot be reached.
        """
        with self._told("describe"):
            answer = self._client.describe_secret(SecretId=self.secret)
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
            InputError: There is no such secret.
            EnvironmentFault: Secrets Manager refuses, or cannot be reached; or the value is no text.
        """
        with self._told("read"):
            answer = self._client.get_secret_value(SecretId=self.secret, VersionId=version)
        if "SecretString" not in answer:
            raise EnvironmentFault(f"Version {version} of {self.secret} is binary: a key is text.")
        return str(answer["SecretString"])

    def stage(self, value: str, token: str) -> str:
        """Puts a value beside the current one, as AWSPENDING; consumers do not see it.

        Args:
            value: The new value.
            token: A UUID; the same token and value make the same version once.

        Returns:
            Id of the version.

        Raises:
            RotationConflict: Another value is staged already.
            InputError: There is no such secret.
            EnvironmentFault: Secrets Manager refuses, or cannot be reached.
        """
        pending = self.labels().pending
        if pending not in (None, token):
            raise RotationConflict(
                f"{self.secret} has version {pending} staged: a rotation has not ended. Go on with it, or give it up "
                "(strandline rotate --abandon)."
            )
        if pending is None:
            with self._told("stage"):
                self._client.put_secret_value(
                    SecretId=self.secret, ClientRequestToken=token, SecretString=value, VersionStages=[PENDING]
                )
        return token

    def promote(self, version: str) -> Labels:
        """Makes the staged version the current one; the current one becomes AWSPREVIOUS.

        It stays staged as well until `discard`: whoever goes on after a crash sees that something is left to do.

        Args:
            version: The version that was verified.

        Returns:
            The labels afterwards.

        Raises:
            RotationConflict: It is neither staged nor current.
            InputError: There is no such secret.
            EnvironmentFault: Secrets Manager refuses, or cannot be reached.
        """
        labels = self.labels()
        if labels.current == version:
            return labels
        if labels.pending != version:
            raise RotationConflict(f"Version {version} of {self.secret} is not staged: nothing was changed.")
        # One call moves the label, and Secrets Manager moves AWSPREVIOUS with it.
        self._move(CURRENT, to=version, away_from=labels.current)
        return self.labels()

    def discard(self, version: str) -> None:
        """Takes AWSPENDING from a version: the end of a rotation, or of one that is given up.

        Secrets Manager forgets a version without a label.

        Args:
            version: The version; nothing happens where it is not staged.

        Raises:
            InputError: There is no such secret.
            EnvironmentFault: Secrets Manager refuses, or cannot be reached.
        """
        if self.labels().pending == version:
            self._move(PENDING, to=None, away_from=version)

    def roll_back(self, version: str) -> Labels:
        """Makes the version before the current one current again; the two change places.

        Args:
            version: The one to leave; nothing happens where it is not current any more, so that a second call does
                not bring it back.

        Returns:
            The labels afterwards.

        Raises:
            InputError: There is no such secret, or no version before the current one.
            EnvironmentFault: Secrets Manager refuses, or cannot be reached.
        """
        labels = self.labels()
        if labels.current != version:
            return labels
        if labels.previous is None:
            raise InputError(f"{self.secret} has no version before the current one: there is nothing to go back to.")
        # Before anything else: what is staged, the next rotation would promote.
        self.discard(version)
        self._move(CURRENT, to=labels.previous, away_from=version)
        return self.labels()

    def _move(self, label: str, *, to: str | None, away_from: str | None) -> None:
        places = {"MoveToVersionId": to, "RemoveFromVersionId": away_from}
        with self._told("move a label of"):
            self._client.update_secret_version_stage(
                SecretId=self.secret,
                VersionStage=label,
                **{name: version for name, version in places.items() if version is not None},
            )

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            code = error.response["Error"].get("Code", "unknown")
            if code == "ResourceNotFoundException":
                raise InputError(f"There is no secret {self.secret}: deploy the environment's secrets first.") from None
            # Only codes: Secrets Manager's own words may quote what was sent.
            raise EnvironmentFault(f"Secrets Manager does not {what} {self.secret} ({code}).") from None
        except BotoCoreError as error:
            raise EnvironmentFault(f"Secrets Manager cannot be reached ({type(error).__name__}).") from None
