"""The moves between a secret's versions, against Secrets Manager, with a crash before or after any of its calls."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from agent_runtime.errors import EnvironmentFault, InputError
from stacks.custom_resources.secret_versions import Labels
from strandline.rotation.versions import RotationConflict, SecretVersions
from tests.support.crashes import Crash, CrashingClient, crashes

FIRST = "canary-first-key"


class Rotating(RuleBasedStateMachine):
    """Steps of rotations in any order, repeated, and cut off anywhere."""

    client = None

    @initialize()
    def secret(self):
        self.name = f"strandline/versions/{uuid.uuid4()}"
        made = self.client.create_secret(Name=self.name, SecretString=FIRST)
        self.crashing = CrashingClient(self.client)
        self.versions = SecretVersions(self.crashing, self.name)
        self.values = {made["VersionId"]: FIRST}
        self.verified = {made["VersionId"]}

    def do(self, crash, step):
        self.crashing.arm(crash)
        try:
            return step()
        except (Crash, RotationConflict):
            return None
        finally:
            self.crashing.arm(None)

    @rule(crash=crashes(4), is_good=st.booleans())
    def stage(self, crash, is_good):
        token = str(uuid.uuid4())
        self.values[token] = f"canary-key-{len(self.values)}"
        if is_good:
            self.verified.add(token)
        self.do(crash, lambda: self.versions.stage(self.values[token], token))

    @precondition(lambda self: self.versions.labels().pending)
    @rule(crash=crashes(4))
    def stage_again(self, crash):
        token = self.versions.labels().pending
        self.do(crash, lambda: self.versions.stage(self.values[token], token))

    @rule(crash=crashes(4))
    def promote_what_is_verified(self, crash):
        pending = self.versions.labels().pending
        if pending in self.verified:
            self.do(crash, lambda: self.versions.promote(pending))

    @rule(crash=crashes(4))
    def promote_the_current_one_again(self, crash):
        before = self.versions.labels()
        self.do(crash, lambda: self.versions.promote(before.current))
        assert self.versions.labels().current == before.current

    @rule(crash=crashes(4))
    def give_up(self, crash):
        if pending := self.versions.labels().pending:
            self.do(crash, lambda: self.versions.discard(pending))

    @precondition(lambda self: self.versions.labels().pending)
    @rule()
    def what_is_left_of_a_crash_can_be_ended(self):
        pending = self.versions.labels().pending
        if pending in self.verified:
            self.versions.promote(pending)
        self.versions.discard(pending)
        assert self.versions.labels().pending is None

    @precondition(lambda self: self.versions.labels().previous)
    @rule(crash=crashes(4))
    def roll_back(self, crash):
        before = self.versions.labels()
        self.do(crash, lambda: self.versions.roll_back(before.current))
        self.versions.roll_back(before.current)
        assert self.versions.labels().current == before.previous

    @invariant()
    def current_is_valid(self):
        if not hasattr(self, "name"):
            return
        current = self.client.get_secret_value(SecretId=self.name)
        assert current["VersionId"] in self.verified
        assert current["SecretString"] == self.values[current["VersionId"]]


def test_current_is_valid_at_every_moment(aws):
    Rotating.client = aws.secretsmanager
    run_state_machine_as_test(
        Rotating,
        settings=settings(
            max_examples=15,
            stateful_step_count=15,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def versions(aws):
    name = f"strandline/versions/{uuid.uuid4()}"
    aws.secretsmanager.create_secret(Name=name, SecretString=FIRST)
    return SecretVersions(aws.secretsmanager, name)


def test_a_promoted_version_is_current_and_the_old_one_previous(versions):
    old = versions.labels().current
    new = versions.stage("canary-second-key", str(uuid.uuid4()))
    assert versions.read(old) == FIRST
    assert versions.labels() == Labels(current=old, pending=new)

    assert versions.promote(new) == Labels(current=new, pending=new, previous=old)
    versions.discard(new)
    assert versions.labels() == Labels(current=new, previous=old)
    assert versions.read(new) == "canary-second-key"

    assert versions.roll_back(new) == Labels(current=old, previous=new)


def test_a_second_rotation_waits_for_the_first(versions):
    first = versions.stage("canary-second-key", str(uuid.uuid4()))

    with pytest.raises(RotationConflict, match=r"has version .* staged") as refused:
        versions.stage("canary-third-key", str(uuid.uuid4()))

    assert "canary" not in str(refused.value)
    assert versions.labels().pending == first


def test_what_was_never_staged_is_not_promoted(versions):
    with pytest.raises(RotationConflict, match="is not staged: nothing was changed"):
        versions.promote(str(uuid.uuid4()))


def test_there_is_nothing_before_the_first_value(versions):
    with pytest.raises(InputError, match="nothing to go back to"):
        versions.roll_back(versions.labels().current)


def test_a_secret_that_is_not_there_and_one_that_may_not_be_read_are_told_by_name(aws, assume):
    with pytest.raises(InputError, match="There is no secret strandline/versions/none"):
        SecretVersions(aws.secretsmanager, "strandline/versions/none").labels()

    nobody = assume("reads-nothing", [{"Action": "s3:GetObject", "Resource": "*"}]).secretsmanager
    with pytest.raises(EnvironmentFault, match=r"does not describe strandline/versions/none \(AccessDeniedException\)"):
        SecretVersions(nobody, "strandline/versions/none").labels()
