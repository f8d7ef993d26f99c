"""A service of ECS and its secrets as their clients are seen by a rotation: AWS's own rules, a clock of the test's.

Tasks read two secrets when they start. A deployment starts new tasks, and ends the old ones when the new are healthy.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math

from botocore.exceptions import ClientError

STAGES = ("AWSCURRENT", "AWSPENDING", "AWSPREVIOUS")


class ResourceExistsException(ClientError):
    """As boto3 has it."""


class ResourceNotFoundException(ClientError):
    """As boto3 has it."""


class Exceptions:
    """As boto3 has them."""

    ClientError = ClientError
    ResourceExistsException = ResourceExistsException
    ResourceNotFoundException = ResourceNotFoundException


def _error(kind):
    return kind({"Error": {"Code": kind.__name__, "Message": ""}}, "")


class Clock:
    """Time that passes when somebody waits.

    Attributes:
        waits: Called with each wait's seconds.
    """

    def __init__(self):
        self.now = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
        self.waits = []

    def sleep(self, seconds):
        # As services tell it: a wait of a moment is one of a moment for all.
        for _ in range(max(1, math.ceil(seconds / 3))):
            self.now += dt.timedelta(seconds=min(seconds, 3))
            for wait in self.waits:
                wait()

    def patience(self, seconds=880):
        ends = self.now + dt.timedelta(seconds=seconds)
        return lambda: (ends - self.now).total_seconds()  # noqa: PLW0108 - `now` is another each time


class Vault:
    """Secrets Manager, with versions and staging labels ("Secret versions", AWS Secrets Manager)."""

    exceptions = Exceptions

    def __init__(self, clock, **values):
        self._clock = clock
        self._numbers = itertools.count(1)
        self._versions = {}
        self._changed = {}
        for name, value in values.items():
            self.add(name, value)

    def add(self, name, value):
        """One more secret."""
        self._versions[name] = {}
        self.put_secret_value(SecretId=name, SecretString=value, ClientRequestToken=f"first-of-{name}")

    def describe_secret(self, *, SecretId):
        stages = {token: [*version["stages"]] for token, version in self._versions[SecretId].items()}
        return {"Name": SecretId, "VersionIdsToStages": stages, "LastChangedDate": self._changed[SecretId]}

    def list_secret_version_ids(self, *, SecretId):
        if SecretId not in self._versions:
            raise _error(ResourceNotFoundException)
        versions = self._versions[SecretId].items()
        return {
            "Versions": [
                {"VersionId": token, "VersionStages": [*one["stages"]], "CreatedDate": one["made"]}
                for token, one in versions
            ]
        }

    def put_secret_value(self, *, SecretId, SecretString, ClientRequestToken, VersionStages=("AWSCURRENT",)):
        version = self._versions[SecretId].get(ClientRequestToken)
        if version and version["value"] not in (None, SecretString):
            raise _error(ResourceExistsException)
        if version is None or version["value"] is None:
            # In whole seconds, as the local cloud has it: a rotation must not build on more.
            made = self._clock.now.replace(microsecond=0)
            stages = version["stages"] if version else set()
            self._versions[SecretId][ClientRequestToken] = {"value": SecretString, "stages": stages, "made": made}
        for stage in VersionStages:
            self._move(SecretId, stage, ClientRequestToken)
        self._changed[SecretId] = self._clock.now
        return {"VersionId": ClientRequestToken}

    def get_secret_value(self, *, SecretId, VersionId=None, VersionStage=None):
        for token, version in self._versions[SecretId].items():
            wanted = VersionStage or ("AWSCURRENT" if VersionId is None else None)
            if VersionId in (None, token) and (wanted is None or wanted in version["stages"]):
                if version["value"] is None:
                    break
                return {"SecretString": version["value"], "VersionId": token}
        raise _error(ResourceNotFoundException)

    def update_secret_version_stage(self, *, SecretId, VersionStage, MoveToVersionId=None, RemoveFromVersionId=None):
        holder = next((t for t, v in self._versions[SecretId].items() if VersionStage in v["stages"]), None)
        assert holder == RemoveFromVersionId, "the label is elsewhere"
        self._move(SecretId, VersionStage, MoveToVersionId)
        self._changed[SecretId] = self._clock.now

    def begin_rotation(self, name, token):
        """What RotateSecret does before it calls the function: the version is staged, and has no value."""
        self._versions[name][token] = {"value": None, "stages": set(), "made": self._clock.now}
        self._move(name, "AWSPENDING", token)

    def _move(self, name, stage, token):
        versions = self._versions[name]
        before = next((one for one, version in versions.items() if stage in version["stages"]), None)
        if before is not None:
            versions[before]["stages"].discard(stage)
        if token is not None:
            versions[token]["stages"].add(stage)
        if stage == "AWSCURRENT" and before not in (None, token):
            self._move(name, "AWSPREVIOUS", before)


class RollingService:
    """ECS, with one service ("Amazon ECS rolling updates").

    Attributes:
        tasks: What each task that serves takes, with the deployment that it belongs to.
        fails: Whether the tasks of the next deployment never get healthy.
        drains: How many moments tasks that were replaced still answer what they have taken.
    """

    def __init__(self, clock, take):
        self._clock = clock
        self._take = take
        self.fails = False
        self.drains = 0
        self.started = 0
        self._deployments = [self._deployment("COMPLETED")]
        self.tasks = [(self._deployments[0], take()), (self._deployments[0], take())]
        self._starting = []
        self._drained = 0
        clock.waits.append(self.go_on)

    @property
    def is_draining(self):
        """Whether tasks that were replaced still answer."""
        return self._drained >= 0 and len(self._deployments) > 1

    def describe_services(self, *, cluster, services):
        told = []
        for one in self._deployments:
            running = sum(deployment is one for deployment, _ in self.tasks)
            pending = sum(deployment is one for deployment, _ in self._starting)
            told.append({**one, "runningCount": running, "pendingCount": pending, "desiredCount": 2})
        return {"services": [{"deployments": told}]}

    def update_service(self, *, cluster, service, forceNewDeployment):
        assert forceNewDeployment
        self.started += 1
        self._starting = []
        for one in self._deployments:
            one["status"] = "ACTIVE"
        self._deployments.insert(0, self._deployment("IN_PROGRESS"))

    def scale_out(self):
        """One more task of the newest deployment that serves."""
        newest = next(one for one in self._deployments if one["rolloutState"] == "COMPLETED")
        self.tasks.append((newest, self._take()))

    def go_on(self):
        """A moment passes: tasks are started, or are healthy and take over."""
        newest = self._deployments[0]
        if newest["rolloutState"] != "IN_PROGRESS":
            self._drained -= 1
            if self._drained < 0:
                # ECS tells of one that failed for a while.
                self._deployments = [
                    one for one in self._deployments if one is newest or one["rolloutState"] == "FAILED"
                ]
            return
        if self.fails:
            self.fails = False
            self._starting = []
            self._deployments = [*self._deployments[1:], newest]
            newest |= {"status": "ACTIVE", "rolloutState": "FAILED"}
            self._deployments[0]["status"] = "PRIMARY"
            self._deployments[0]["rolloutStateReason"] = "ECS deployment circuit breaker: rolling back"
        elif not self._starting:
            self._starting = [(newest, self._take()), (newest, self._take())]
        else:
            newest["rolloutState"] = "COMPLETED"
            self.tasks, self._starting = self._starting, []
            self._drained = self.drains
            if not self.drains:
                self._deployments = [newest]

    def _deployment(self, state):
        return {
            "status": "PRIMARY",
            "rolloutState": state,
            "rolloutStateReason": "",
            "createdAt": self._clock.now,
        }
