"""The gateway's own keys, which Secrets Manager makes: the master key, and a stateless gateway's key for inference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent_runtime.errors import EnvironmentFault
from stacks.names import ENVIRONMENT_KEY, NEXT_ENVIRONMENT_KEY
from strandline.aws_errors import told
from strandline.gateway_service import find_gateway
from strandline.rotation.gateway_tasks import roll_gateway
from strandline.rotation.rotate import Rotation
from strandline.rotation.versions import SecretVersions

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping, Sequence

    from strandline.rotation.rotate import Progress, Record
    from strandline.rotation.uses import Use
    from strandline.targets import Target

_LENGTH = 48
_SERVICES = "Secrets Manager"


class MasterKey(Rotation):
    """The master key: a new one for new tasks of the gateway.

    It is swapped in its secret and never by LiteLLM's `/key/regenerate`, after which, with a salt key, the models that
    its database holds are gone. What is encrypted there is so by the salt key, which stays. Nothing knows the new key
    before there are tasks that began with it, so it is asked of them, and not before.
    """

    is_made_here = True
    unverifiable = ()

    def stage(self, read_value: Callable[[str], str], progress: Progress = lambda _: None) -> None:
        """Stages a key that Secrets Manager makes; see the base class."""
        del read_value
        super().stage(lambda _: new_value(self._client), progress)

    def reminders(self) -> list[str]:
        """Nothing: tasks that took the old key are gone."""
        return []


class EnvironmentKey(Rotation):
    """The key for inference of a gateway without a database, by two keys of which each task takes both.

    The next key has been there since the tasks began, so all of them take it when the agents begin to use it; when all
    agents do, the one after it is made, and new tasks take the old one no more.
    """

    is_made_here = True
    unverifiable = ()

    def __init__(self, target: Target, uses: Mapping[str, Sequence[Use]], record: Record) -> None:
        super().__init__(target, uses, record)
        self._key = self._versions[ENVIRONMENT_KEY]
        self._next = SecretVersions(self._client, self._secret(NEXT_ENVIRONMENT_KEY))

    @property
    def reaches_gateway(self) -> bool:
        """Its tasks take the next key already."""
        return False

    def stage(self, read_value: Callable[[str], str], progress: Progress = lambda _: None) -> None:
        """Stages the next key, once every task takes it; see the base class."""
        del read_value
        if self._renew_next() or not self._every_task_takes_the_next():
            roll_gateway(self._target, progress)
        super().stage(lambda _: self._current(self._next), progress)

    def retire(self, progress: Progress) -> None:
        """Makes the key after the next one, and new tasks, which take the old one no more."""
        self._renew_next()
        if not self._every_task_takes_the_next():
            roll_gateway(self._target, progress)
        self._record("retired", {})

    def reminders(self) -> list[str]:
        """Nothing: tasks that took the old key are gone."""
        return []

    def _current(self, versions: SecretVersions) -> str:
        current = versions.labels().current
        if current is None:
            raise EnvironmentFault(f"{versions.secret} has no value: deploy the environment first.")
        return versions.read(current)

    def _renew_next(self) -> bool:
        """Makes another next key where agents use this one already; tells whether it did."""
        is_used = self._current(self._next) == self._current(self._key)
        if is_used:
            with told(_SERVICES, f"Secrets Manager does not take a value of {self._next.secret}"):
                self._client.put_secret_value(SecretId=self._next.secret, SecretString=new_value(self._client))
        return is_used

    def _every_task_takes_the_next(self) -> bool:
        """Whether every task began after the next key was made."""
        with told("AWS", "AWS does not tell since when the gateway's tasks run"):
            versions = self._client.list_secret_version_ids(SecretId=self._next.secret)["Versions"]
            made: dt.datetime = max(one["CreatedDate"] for one in versions if "AWSCURRENT" in one["VersionStages"])
            found = find_gateway(self._target)
            if found is None:
                raise EnvironmentFault(f"{self._target.environment.name} has no gateway: deploy the environment first.")
            client = self._target.client("ecs")
            arns = client.list_tasks(cluster=found.cluster, serviceName=found.service)["taskArns"]
            tasks = client.describe_tasks(cluster=found.cluster, tasks=arns)["tasks"] if arns else []
        return bool(tasks) and all(task["createdAt"] > made for task in tasks)


def new_value(client: Any) -> str:
    """Makes a key as the deployment does: Secrets Manager's own random characters.

    Args:
        client: boto3's client of Secrets Manager.

    Returns:
        The key.

    Raises:
        EnvironmentFault: Secrets Manager refuses, or cannot be reached.
    """
    with told(_SERVICES, "Secrets Manager makes no random key"):
        answer = client.get_random_password(PasswordLength=_LENGTH, ExcludePunctuation=True)
    return str(answer["RandomPassword"])
