"""Reads secrets from Secrets Manager: all of an agent's in one call, each with an answer of its own."""

from __future__ import annotations

import logging
import re
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from agent_runtime.aws_clients import new_client
from agent_runtime.errors import EnvironmentFault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

logger = logging.getLogger(__name__)

SECRETS_PER_CALL = 20
"""Most that BatchGetSecretValue takes (Secrets Manager API Reference)."""

_ATTEMPTS = 2
_ASSUMED_ROLE = re.compile(r"assumed-role/([^/\s]+)")
# Secrets Manager ends the name in an ARN with a hyphen and six characters.
_ARN_NAME = re.compile(r":secret:(.+)-[A-Za-z0-9]{6}$")
_SET = "`strandline secrets set {variable} --env {environment}`"
_DECRYPT = "grant kms:Decrypt on the secret's key to the role and deploy again"
_LATER = "Secrets Manager limits the rate of requests: try again later"
_DENIED, _NOT_FOUND = "AccessDeniedException", "ResourceNotFoundException"
_MENDS = {
    _DENIED: "grant secretsmanager:GetSecretValue on it to the role and deploy again",
    _NOT_FOUND: f"it does not exist or has no value: set it with {_SET}",
    "DecryptionFailure": _DECRYPT,
    "InvalidRequestException": f"it is scheduled for deletion: restore it, then set it with {_SET}",
    "ThrottlingException": _LATER,
    "TooManyRequestsException": _LATER,
}
# Somebody took the secret, or the right to it, away; any other code may pass by itself.
_REVOCATIONS = (_DENIED, _NOT_FOUND, "DecryptionFailure", "InvalidRequestException")


class SecretError(EnvironmentFault):
    """Raised when a secret cannot be used; names the secret and the role, never a value."""


class NoValueError(SecretError):
    """Raised when a secret does not exist, has no value yet, or an empty one."""


@dataclass(frozen=True, slots=True)
class SecretValue:
    """A secret's value and the version that it is; the value never shows in a representation."""

    text: str
    version_id: str

    def __repr__(self) -> str:
        return f"SecretValue(version_id={self.version_id!r})"


class Cause(Enum):
    """Why a secret has no usable value; it decides how long the last good one may stand in."""

    OUTAGE = "Secrets Manager does not answer, or not now"
    BROKEN = "the newest version cannot be a key"
    REVOKED = "the secret, or the right to read it, was taken away"


@dataclass(frozen=True, slots=True)
class SecretFault:
    """Why a secret cannot be read or used, as it is raised for those who need it.

    Attributes:
        kind: Class of the exception.
        message: Its text, which holds no value.
        cause: What kind of fault.
    """

    kind: type[SecretError]
    message: str
    cause: Cause

    @property
    def means_absent(self) -> bool:
        """Whether Secrets Manager answered that there is no value."""
        return self.kind is NoValueError

    def error(self) -> SecretError:
        """A new exception, without the traceback of earlier ones."""
        return self.kind(self.message)


def secrets_client() -> Any:
    """Makes a client of Secrets Manager that gives up before the request that waits for it does.

    Returns:
        The boto3 client.
    """
    return new_client("secretsmanager", attempts=_ATTEMPTS)


class SecretReader:
    """Reads the values of an environment's secrets; for one thread at a time.

    Args:
        prefix: What stands before the variable in the secret's name, such as `strandline/production/`.
        environment: Name of the environment, for the messages.
        client_factory: Makes the Secrets Manager client at the first read.
    """

    def __init__(self, *, prefix: str, environment: str, client_factory: Callable[[], Any]) -> None:
        self._prefix = prefix
        self._environment = environment
        self._client_factory = client_factory
        self._client: Any = None
        self._one_by_one = False

    def name_of(self, variable: str) -> str:
        """The name in Secrets Manager of a variable's secret."""
        return self._prefix + variable

    def read(self, variables: Sequence[str]) -> dict[str, SecretValue | SecretFault]:
        """Asks Secrets Manager, by one BatchGetSecretValue for each twenty variables.

        Args:
            variables: Names of the variables.

        Returns:
            The value of each, or why there is none. Nothing is raised: what libraries write into their exceptions
            never leaves this module.
        """
        found: dict[str, SecretValue | SecretFault] = {}
        try:
            if self._client is None:
                self._client = self._client_factory()
            # The next read is minutes away: a connection kept until then would be dead, or frozen with the session.
            with closing(self._client) as client:
                for first in range(0, len(variables), SECRETS_PER_CALL):
                    found |= self._read_page(client, variables[first : first + SECRETS_PER_CALL])
        except Exception as error:
            found |= {variable: self._unreachable(variable, error) for variable in variables if variable not in found}
        if any(isinstance(one, SecretFault) and one.cause is Cause.OUTAGE for one in found.values()):
            # The next one looks for the role's credentials anew.
            self._client = None
        return found

    def _read_page(self, client: Any, variables: Sequence[str]) -> dict[str, SecretValue | SecretFault]:
        if self._one_by_one:
            return self._read_each(client, variables)
        from botocore.exceptions import ClientError

        try:
            answer = client.batch_get_secret_value(SecretIdList=[self.name_of(one) for one in variables])
        except ClientError as error:
            code = str(error.response["Error"].get("Code"))
            if code not in _REVOCATIONS:
                return {variable: self._refused(variable, error.response["Error"]) for variable in variables}
            # Asked for one by one, so that the fault is told of the secret that has it.
            if code == _DENIED:
                self._one_by_one = True
                logger.warning(
                    "action=<secretsmanager:BatchGetSecretValue> | is denied to the role, secrets are read one by one"
                )
            return self._read_each(client, variables)
        found = self._sorted_out(answer)
        return found | self._read_each(client, [variable for variable in variables if variable not in found])

    def _sorted_out(self, answer: Mapping[str, Any]) -> dict[str, SecretValue | SecretFault]:
        found: dict[str, SecretValue | SecretFault] = {}
        for entry in answer.get("SecretValues", ()):
            variable = self._variable_of(str(entry["Name"]))
            found[variable] = self._checked(variable, entry)
        for entry in answer.get("Errors", ()):
            variable = self._variable_of(str(entry["SecretId"]))
            found[variable] = self._refused(variable, {"Code": entry.get("ErrorCode"), "Message": entry.get("Message")})
        return found

    def _variable_of(self, secret: str) -> str:
        named = _ARN_NAME.search(secret)
        return (named[1] if named else secret).removeprefix(self._prefix)

    def _read_each(self, client: Any, variables: Sequence[str]) -> dict[str, SecretValue | SecretFault]:
        from botocore.exceptions import ClientError

        found: dict[str, SecretValue | SecretFault] = {}
        for variable in variables:
            try:
                answer = client.get_secret_value(SecretId=self.name_of(variable))
            except ClientError as error:
                found[variable] = self._refused(variable, error.response["Error"])
            else:
                found[variable] = self._checked(variable, answer)
        return found

    def _unreachable(self, variable: str, error: Exception) -> SecretFault:
        reason = f"Secrets Manager cannot be reached ({type(error).__name__})"
        message = f"Secret {self.name_of(variable)} cannot be read: {reason}."
        return SecretFault(SecretError, message, Cause.OUTAGE)

    def _refused(self, variable: str, error: Mapping[str, Any]) -> SecretFault:
        code, said = str(error.get("Code", "unknown")), str(error.get("Message", ""))
        role = _ASSUMED_ROLE.search(said)
        who = f"role {role[1]}" if role else "this runtime's role"
        mend = _MENDS.get(code, "see the secret in Secrets Manager")
        if code == _DENIED and "KMS" in said:
            mend = _DECRYPT
        return SecretFault(
            NoValueError if code == _NOT_FOUND else SecretError,
            f"Secret {self.name_of(variable)} cannot be read by {who} ({code}): {self._told(variable, mend)}.",
            Cause.REVOKED if code in _REVOCATIONS else Cause.OUTAGE,
        )

    def _checked(self, variable: str, entry: Mapping[str, Any]) -> SecretValue | SecretFault:
        """Refuses what can never be a key before a client turns it into a bare "Connection error."."""
        text = entry.get("SecretString")
        wrong, kind = None, SecretError
        trimmed = text.strip() if isinstance(text, str) else ""
        if not isinstance(text, str):
            wrong = "holds binary data"
        elif not trimmed:
            wrong, kind = "is empty", NoValueError
        elif any(character < " " or character > "~" for character in trimmed):
            wrong = "holds a line break, a control character or a character outside ASCII"
        if wrong:
            mend = self._told(variable, f"set it again with {_SET}")
            return SecretFault(kind, f"Secret {self.name_of(variable)} {wrong}: {mend}.", Cause.BROKEN)
        return SecretValue(trimmed, str(entry["VersionId"]))

    def _told(self, variable: str, mend: str) -> str:
        return mend.format(variable=variable, environment=self._environment)
