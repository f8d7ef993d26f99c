"""The locks that the release bucket keeps: who promoted what, the lock after a rollback, and an agent taken out."""

from __future__ import annotations

import datetime as dt
import io

import pytest
from botocore.response import StreamingBody

from agent_runtime.errors import InputError
from stacks.releases.lock import ReleaseLock, Removal, load_lock, parse_lock, render_lock
from stacks.releases.store import ReleaseFolder
from strandline.endpoints import Version
from strandline.history import read_history
from strandline.releases.lock import save_lock
from strandline.releases.removal import plan_removal
from strandline.releases.rollback import restore_entry
from tests.releases.releases import entry
from tests.releases.world import StubbedTarget

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
BUCKET, KEY = "strandline-releases-staging-111111111111-eu-west-1", "locks/staging.yaml"
RUNTIME = "arn:aws:bedrock-agentcore:eu-west-1:111111111111:runtime/staging_tide-0123456789"
ME = "arn:aws:sts::111111111111:assumed-role/operator/ada"
OLD = entry("1" * 64, artefact="2" * 64, promoted_by="grace@example.com", promoted_at="2026-11-01T08:00:00Z")
NEW = entry("3" * 64, artefact="2" * 64, promoted_by="ada@example.com", promoted_at="2026-11-20T08:00:00Z")


def lock(**agents):
    return ReleaseLock(environment="staging").with_entries(agents)


@pytest.fixture
def target():
    with StubbedTarget("staging") as target:
        yield target


@pytest.fixture
def folder(tmp_path):
    return ReleaseFolder(tmp_path / "releases")


def body(content):
    return StreamingBody(io.BytesIO(content), len(content))


def publishes(target, found):
    """The bucket's lock as it is now."""
    answer = {"Body": body(render_lock(found).encode()), "ETag": '"now"'}
    target.stub("s3").add_response("get_object", answer, {"Bucket": BUCKET, "Key": KEY})


def has_published(target, *locks):
    """All that the bucket ever had, the oldest first."""
    versions = [
        {"Key": KEY, "VersionId": str(number), "LastModified": NOW + dt.timedelta(hours=number)}
        for number in range(len(locks))
    ]
    s3 = target.stub("s3")
    s3.add_response("list_object_versions", {"Versions": versions}, {"Bucket": BUCKET, "Prefix": KEY})
    for number in reversed(range(len(locks))):
        answer = {"Body": body(render_lock(locks[number]).encode())}
        s3.add_response("get_object", answer, {"Bucket": BUCKET, "Key": KEY, "VersionId": str(number)})


def is_asked_who(target, times=1):
    for _ in range(times):
        target.stub("sts").add_response("get_caller_identity", {"Arn": ME})


def version(number, release):
    return Version(
        number, f"s3://b/{release.bundle}.json", "b", f"{release.artefact}.zip", "PYTHON_3_13", "", "READY", "role"
    )


def test_history_names_who_promoted_each_version(target):
    # Given version 1 was Grace's, version 2 is Ada's, and version 3 nobody promoted
    runtime = {"agentRuntimeArn": RUNTIME, "agentRuntimeId": "staging_tide-0123456789"}
    outputs = [{"OutputKey": "RuntimeArn", "OutputValue": RUNTIME}]
    stack = {"StackName": "Staging-Agent-tide", "StackStatus": "UPDATE_COMPLETE", "CreationTime": NOW}
    cloudformation, control = target.stub("cloudformation"), target.stub("bedrock-agentcore-control")
    cloudformation.add_response("describe_stacks", {"Stacks": [{**stack, "Outputs": outputs}]})
    cloudformation.add_client_error("describe_stacks", "ValidationError")  # no stack of checks
    endpoint = {"name": "live", "liveVersion": "2", "status": "READY", "createdAt": NOW, "lastUpdatedAt": NOW}
    arns = {"agentRuntimeArn": RUNTIME, "agentRuntimeEndpointArn": f"{RUNTIME}/live", "id": "live"}
    control.add_response("list_agent_runtime_endpoints", {"runtimeEndpoints": [{**endpoint, **arns}]})
    has_published(target, lock(tide=OLD), lock(tide=NEW))
    told = {**runtime, "agentRuntimeName": "staging_tide", "lastUpdatedAt": NOW, "status": "READY"}
    listed = [{**told, "agentRuntimeVersion": number, "description": "Tides."} for number in "123"]
    control.add_response("list_agent_runtime_versions", {"agentRuntimes": listed})
    for number, release in (("3", entry("4" * 64, artefact="2" * 64)), ("2", NEW), ("1", OLD)):
        code = {"s3": {"bucket": "b", "prefix": f"{release.artefact}.zip"}}
        configuration = {"code": code, "runtime": "PYTHON_3_13", "entryPoint": ["main.py"]}
        answer = {
            **{**told, "agentRuntimeVersion": number, "createdAt": NOW, "roleArn": "arn:aws:iam::111111111111:role/r"},
            **{"networkConfiguration": {"networkMode": "PUBLIC"}, "lifecycleConfiguration": {}},
            "agentRuntimeArtifact": {"codeConfiguration": configuration},
            "environmentVariables": {"STRANDLINE_BUNDLE": f"s3://b/{release.bundle}.json"},
        }
        control.add_response("get_agent_runtime", answer)
    # When
    history = read_history(target, "tide", 10)
    # Then
    assert [(one.version, one.by) for one in history] == [
        ("3", None),
        ("2", "ada@example.com"),
        ("1", "grace@example.com"),
    ]


def test_after_a_rollback_the_lock_has_the_whole_entry_of_then(target, folder):
    # Given
    first, second = lock(tide=OLD, moon=NEW), lock(tide=NEW, moon=NEW)
    save_lock(folder, second)
    publishes(target, second)
    has_published(target, first, second)
    is_asked_who(target)
    expected = {"Bucket": BUCKET, "Key": KEY, "IfMatch": '"now"'}
    # When
    written = []
    target.client("s3").meta.events.register_first(
        "provide-client-params.s3.PutObject", lambda params, **_: written.append(params["Body"])
    )
    from botocore.stub import ANY

    target.stub("s3").add_response("put_object", {}, {**expected, "Body": ANY})
    file = restore_entry(target, folder, "tide", version("1", OLD))
    # Then
    restored = load_lock(file)
    assert written == [file.read_bytes()]
    tide = restored.agents["tide"]
    assert (tide.bundle, tide.artefact, tide.checks) == (OLD.bundle, OLD.artefact, OLD.checks)
    assert (tide.promoted_by, tide.forced) == (ME, "rolled back to version 1")
    assert restored.agents["moon"] == second.agents["moon"]


def test_a_rollback_to_what_no_lock_ever_named_leaves_the_lock(target, folder):
    found = lock(tide=NEW)
    save_lock(folder, found)
    publishes(target, found)
    has_published(target, found)

    assert restore_entry(target, folder, "tide", version("1", OLD)) is None
    assert folder.lock("staging") == found


def has_stacks(target, *names):
    told = [{"StackName": name, "StackStatus": "CREATE_COMPLETE", "CreationTime": NOW} for name in names]
    target.stub("cloudformation").add_response("describe_stacks", {"Stacks": told})


def test_an_agent_is_taken_out_of_the_lock_with_who_when_and_why(target, folder):
    found = lock(tide=NEW, moon=OLD)
    save_lock(folder, found)
    publishes(target, found)
    is_asked_who(target)
    has_stacks(target, "Staging-Agent-tide", "Production-Agent-tide")

    planned = plan_removal(target, folder, "tide", "nobody asks it")

    assert planned.stack == "Staging-Agent-tide"
    assert list(planned.lock.agents) == ["moon"]
    removal = planned.lock.removed["tide"]
    assert (removal.removed_by, removal.reason) == (ME, "nobody asks it")
    # The file is as it was written, and a change of it by hand is refused.
    content = render_lock(planned.lock)
    assert parse_lock(content.encode(), "staging.yaml") == planned.lock
    with pytest.raises(InputError, match=r"removed\.tide\.digest: is not what was promoted of tide"):
        parse_lock(content.replace("nobody asks it", "somebody asks").encode(), "staging.yaml")
    # To promote it again takes that back.
    assert planned.lock.with_entries({"tide": NEW}).removed == {}


def test_a_removal_that_was_cut_off_is_carried_on(target, folder):
    """The bucket has the new lock, and the file is the old one."""
    before = lock(tide=NEW, moon=OLD)
    begun = before.without("tide", Removal(removed_by="ada@example.com", removed_at="2026-11-21T08:00:00Z"))
    save_lock(folder, before)
    is_asked_who(target)
    publishes(target, begun)
    has_stacks(target)

    planned = plan_removal(target, folder, "tide", None)

    assert (planned.lock, planned.stack) == (begun, None)


def test_what_the_lock_does_not_name_is_refused_with_what_it_names(target, folder):
    save_lock(folder, lock(moon=OLD))
    with pytest.raises(InputError, match=r"staging\.yaml names no agent 'tide': it names moon\."):
        plan_removal(target, folder, "tide", None)
