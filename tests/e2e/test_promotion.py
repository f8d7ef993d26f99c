"""A prompt's way from the working tree to production, in three accounts; and all that is refused on it."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal

import pytest

from agent_runtime.errors import EnvironmentFault, InputError
from stacks.releases.project import PinnedArtefact
from stacks.releases.store import ReleaseFolder
from strandline.releases.bucket import PublishedLock, ReleaseBucket
from strandline.releases.lock import save_lock
from strandline.releases.promotion import Request
from tests.e2e.conftest import cloud_of_its_own
from tests.e2e.rehearsal import AGENT, Rehearsal
from tests.local_cloud.cloud_clients import until

pytestmark = pytest.mark.e2e
EVERYTHING = Request()
KEY = f"canary-{secrets.token_hex(12)}"


@pytest.fixture(scope="module")
def cloud(provider, tmp_path_factory):
    """A cloud on which nothing is deployed."""
    with cloud_of_its_own(tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("home"), provider) as made:
        yield made


@pytest.fixture(scope="module")
def rehearsal(cloud, tmp_path_factory):
    """An agent whose first version is in simulation, and whose second one is in production."""
    made = Rehearsal(tmp_path_factory.mktemp("rehearsal"), cloud)
    made.write()
    _done(made.run("deploy", "--env", "simulation"))
    made.say("You know the tides, and the moon.\n")
    _done(made.run("deploy", "--env", "simulation"))
    made.built = made.stamps()
    made.reports = {"staging": _done(made.run(*_promotion("simulation", "staging")))}
    # Production names a secret that was nowhere before.
    made.reports["without a value"] = made.run(*_promotion("staging", "production")).stderr
    made.locked_without_a_value = ReleaseFolder.beside(made.environments).lock("production")
    _done(made.run("secrets", "set", "TIDE_API_KEY", "--env", "production", stdin=f"{KEY}\n"))
    made.reports["production"] = _done(made.run(*_promotion("staging", "production")))
    return made


def _promotion(here, there):
    return ("promote", "--all", "--from", here, "--to", there, "--yes")


def _done(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_same_code_answers_everywhere_and_was_built_once(rehearsal):
    runs = {name: rehearsal.running(name) for name in ("simulation", "staging", "production")}
    assert runs["simulation"].number == "2"
    assert len({one.code for one in runs.values()}) == 1
    assert runs["simulation"].bundle == runs["staging"].bundle
    # Production's overlay makes a bundle of its own, of the same release.
    assert runs["production"].bundle != runs["staging"].bundle
    assert rehearsal.stamps() == rehearsal.built
    for name, one in runs.items():
        bucket, _, key = one.bundle_uri.removeprefix("s3://").partition("/")
        content = rehearsal.targets[name].client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        assert json.loads(content)["prompt"]["text"] == "You know the tides, and the moon.\n"


def test_the_lock_says_what_was_promoted_from_where_and_how_its_checks_went(rehearsal):
    releases = ReleaseFolder.beside(rehearsal.environments)
    staging, production = releases.lock("staging").agents[AGENT], releases.lock("production").agents[AGENT]
    assert (staging.promoted_from, production.promoted_from) == ("simulation", "staging")
    assert staging.checks.passed
    assert staging.checks.cases == 2  # the blueprint's own, and that a session starts
    assert staging.checks.digest != production.checks.digest
    assert staging.artefact == production.artefact == rehearsal.running("production").code
    assert staging.onward["production"].bundle == production.bundle
    assert staging.promoted_by == "arn:aws:iam::222222222222:root"
    for environment in ("staging", "production"):
        published = ReleaseBucket(rehearsal.targets[environment]).published()
        assert published.lock == releases.lock(environment)


def test_a_secret_that_is_new_is_asked_for_by_the_promotion_and_read_by_the_agent(rehearsal):
    told = rehearsal.reports["without a value"]
    assert "1 of production's secrets have no value yet, so no agent and no gateway was touched." in told
    assert "\n  strandline secrets set TIDE_API_KEY --env production\n" in told
    assert rehearsal.locked_without_a_value is None
    assert [one for one in rehearsal.project.provider.requests if one.key == KEY]
    assert not [text for text in rehearsal.project.printed if KEY in text]


def test_the_plan_and_the_report_say_what_happens(rehearsal):
    told = rehearsal.reports["production"]
    assert f"{AGENT}: 1.0.0" in told
    assert "checks: passed, 2 cases" in told
    assert "differs from staging: model.temperature: 0.1 in place of 0.2" in told
    assert "add Production-Agent-tide/Runtime (AWS::BedrockAgentCore::Runtime)" in told
    assert "ExecutionRole: may s3:GetObject on arn:aws:s3:::strandline-releases-production-333333333333-" in told
    assert f"production answers with version 1: bundle {rehearsal.running('production').bundle}" in told


def test_a_promotion_without_a_change_changes_nothing(rehearsal):
    done = rehearsal.run("promote", "--all", "--from", "staging", "--to", "production", "--yes", "--json")
    assert (done.returncode, json.loads(done.stdout)["changes"]) == (0, False), done.stderr
    assert json.loads(done.stdout)["resources"] == []
    assert rehearsal.running("production").number == "1"


def test_a_clean_checkout_deploys_the_same_production(rehearsal, tmp_path):
    """Nothing but the locks and their bundles decides: the working tree has moved on."""
    copy = Rehearsal(tmp_path / "checkout", rehearsal.project)
    shutil.copytree(rehearsal.folder, copy.folder)
    copy.say("You know nothing.\n")
    done = copy.run("deploy", "--env", "production")
    _done(done)
    log = (rehearsal.project.home / "logs" / "cdk-deploy-production.log").read_text()
    assert "(no changes)" in log
    assert ": deployed" not in done.stderr
    assert rehearsal.running("production").number == "1"


@pytest.fixture
def s3(rehearsal):
    """Puts other bytes where a runtime's are, and the right ones back."""
    restore = []

    def change(environment, bucket, key):
        client = rehearsal.targets[environment].client("s3")
        content = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        restore.append((client, bucket, key, content))
        client.put_object(Bucket=bucket, Key=key, Body=bytes([content[0] ^ 1]) + content[1:])

    yield change
    for client, bucket, key, content in restore:
        client.put_object(Bucket=bucket, Key=key, Body=content)


def test_one_byte_of_the_artefact_is_refused(rehearsal, s3):
    running = rehearsal.running("simulation")
    artefact = PinnedArtefact(running.code, running.python)
    s3("simulation", running.code_bucket, running.code_key)
    empty = rehearsal.targets["production"].client("s3")
    empty.create_bucket(Bucket="strandline-releases-empty")
    bucket = ReleaseBucket(rehearsal.targets["production"])
    bucket.name = "strandline-releases-empty"
    with pytest.raises(
        InputError, match=f"{running.code_key} is not the artefact of its name: the hash of its bytes is"
    ):
        bucket.copy(rehearsal.targets["simulation"], running, artefact)
    assert "Contents" not in empty.list_objects_v2(Bucket=bucket.name)


def test_an_artefact_in_the_release_bucket_is_written_once(rehearsal):
    """By a role that may do everything else in S3; the emulator asks no policy about an account's root."""
    running = rehearsal.running("staging")
    client = rehearsal.as_role("staging", "s3")
    there = {"Bucket": running.code_bucket, "Key": running.code_key}
    assert client.get_object(**there)["ContentLength"] > 1_000_000
    for attempt, refusal in (
        (lambda: client.put_object(**there, Body=b"other"), "AccessDenied"),
        (lambda: client.delete_object(**there), "AccessDenied"),
        (lambda: client.put_object(**there, Body=b"other", IfNoneMatch="*"), "PreconditionFailed"),
    ):
        with pytest.raises(client.exceptions.ClientError, match=refusal):
            attempt()
    assert client.put_object(**there | {"Key": "artefacts/new.zip"}, Body=b"other", IfNoneMatch="*")
    assert ReleaseBucket(rehearsal.targets["staging"]).holds(PinnedArtefact(running.code, running.python))


def test_one_byte_of_a_running_bundle_is_refused(rehearsal, s3):
    uri = rehearsal.running("staging").bundle_uri
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    s3("staging", bucket, key)
    with pytest.raises(InputError, match=f"{uri}, the bundle that {AGENT} runs in staging, was changed"):
        rehearsal.promotion("staging", "production").prepare(EVERYTHING)


def test_one_byte_of_a_kept_bundle_is_refused_by_promote_and_by_deploy(rehearsal, tmp_path):
    copy = Rehearsal(tmp_path / "checkout", rehearsal.project)
    shutil.copytree(rehearsal.folder, copy.folder)
    bundle = ReleaseFolder.beside(copy.environments).file(rehearsal.running("production").bundle, "json")
    bundle.write_bytes(bundle.read_bytes().replace(b"moon", b"noon"))
    for command in (("deploy", "--env", "production"), ("promote", AGENT, "--from", "staging", "--to", "production")):
        done = copy.run(*command)
        assert done.returncode == 1
        assert f"{bundle.name}:1:1: is not what" in done.stderr
        assert "production.yaml: agents.tide.bundle" in done.stderr or "onward.production" in done.stderr
        assert "Traceback" not in done.stderr


def test_one_byte_of_the_lock_is_refused(rehearsal, tmp_path):
    copy = Rehearsal(tmp_path / "checkout", rehearsal.project)
    shutil.copytree(rehearsal.folder, copy.folder)
    lock = ReleaseFolder.beside(copy.environments).lock_file("staging")
    lock.write_text(lock.read_text().replace("passed: true", "passed: false"))
    with pytest.raises(
        InputError, match=r"staging\.yaml:\d+:\d+: agents\.tide\.digest: is not what was promoted of tide"
    ):
        copy.promotion("staging", "production")


def test_one_byte_of_the_recorded_checks_is_refused(rehearsal, s3):
    from strandline.checks.results import records_bucket

    target = rehearsal.targets["staging"]
    bucket = records_bucket(target)
    (record,) = target.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    s3("staging", bucket, record["Key"])
    with pytest.raises(EnvironmentFault, match=f"{record['Key']}, was changed: its SHA-256 is"):
        rehearsal.promotion("staging", "production").prepare(EVERYTHING)


def test_a_tree_that_simulation_does_not_run_is_refused(rehearsal, tmp_path):
    copy = Rehearsal(tmp_path / "checkout", rehearsal.project)
    shutil.copytree(rehearsal.folder, copy.folder)
    copy.say("You know nothing.\n")
    with pytest.raises(InputError, match="simulation does not run the tide of the working tree: the bundle there is"):
        copy.promotion("simulation", "staging").prepare(EVERYTHING)


def test_a_live_that_somebody_moved_is_refused(rehearsal):
    client = rehearsal.targets["simulation"].client("bedrock-agentcore-control")
    (runtime,) = client.list_agent_runtimes()["agentRuntimes"]
    move = {"agentRuntimeId": runtime["agentRuntimeId"], "endpointName": "live"}
    client.update_agent_runtime_endpoint(**move, agentRuntimeVersion="1")
    try:
        with pytest.raises(InputError, match="tide in simulation has drifted: its stack deployed the bundle"):
            rehearsal.promotion("simulation", "staging").prepare(EVERYTHING)
    finally:
        client.update_agent_runtime_endpoint(**move, agentRuntimeVersion="2")


def test_production_is_not_reached_from_simulation_without_a_reason(rehearsal):
    done = rehearsal.run("promote", AGENT, "--from", "simulation", "--to", "production", "--plan")
    assert done.returncode == 1
    assert "staging was passed by: promote to staging first, or say --force --reason WHY" in done.stderr
    prepared = rehearsal.promotion("simulation", "production").prepare(
        Request(reason="the tide is out"), ["staging was passed by"]
    )
    assert prepared.forced == ["staging was passed by"]
    assert prepared.lock.agents[AGENT].bundle == rehearsal.running("production").bundle


def test_of_two_who_promote_at_once_one_wins_and_the_other_is_told(rehearsal):
    """Both have seen the same lock in the bucket; the bucket takes one of the two that are to follow it."""
    bucket = ReleaseBucket(rehearsal.targets["production"])
    seen = bucket.published()
    entry = seen.lock.agents[AGENT]
    mine, theirs = (
        seen.lock.with_entries(
            {AGENT: entry.model_copy(update={"promoted_by": who, "promoted_at": "2030-01-01T00:00:00Z"})}
        )
        for who in ("me", "them")
    )
    try:
        bucket.publish(theirs, seen)
        with pytest.raises(
            InputError, match="production was promoted meanwhile, by them at 2030-01-01T00:00:00Z: nothing"
        ):
            bucket.publish(mine, seen)
        # A checkout that has not got theirs is told too, before anything is planned.
        stale = theirs.with_entries({AGENT: entry.model_copy(update={"bundle": "0" * 64})})
        bucket.publish(stale, PublishedLock(theirs, bucket.published().etag))
        with pytest.raises(InputError, match=r"production\.yaml is not what production was promoted to last, by"):
            rehearsal.promotion("staging", "production").prepare(EVERYTHING)
    finally:
        bucket.publish(seen.lock, bucket.published())


PROMOTE = ("promote", AGENT, "--from", "simulation", "--to", "staging", "--yes")


@pytest.fixture(scope="module")
def checkouts(rehearsal, tmp_path_factory):
    """Two people's, of a release that simulation runs; they differ in what it is to be in staging."""
    rehearsal.say("You know the tides, the moon and the wind.\n")
    _done(rehearsal.run("deploy", "--env", "simulation"))
    made = []
    for temperature in ("0.5", "0.6"):
        copy = Rehearsal(tmp_path_factory.mktemp("checkout") / "project", rehearsal.project)
        shutil.copytree(rehearsal.folder, copy.folder)
        blueprint = copy.blueprints / "agents" / f"{AGENT}.yaml"
        overlay = f"environments: {{staging: {{model: {{temperature: {temperature}}}}}, "
        blueprint.write_text(blueprint.read_text().replace("environments: {", overlay))
        made.append(copy)
    return made


def test_two_promote_at_once_and_the_one_that_wins_is_killed_and_carried_on(rehearsal, checkouts):
    staging = rehearsal.targets["staging"].client("cloudformation")
    before = ReleaseBucket(rehearsal.targets["staging"]).published().lock
    # When both promote by the command
    people = [(checkout, checkout.start(*PROMOTE)) for checkout in checkouts]
    is_at_work = "UPDATE_IN_PROGRESS"
    until(lambda: _status(staging, "Staging-Agent-tide") == is_at_work, 240)
    # Then CloudFormation is at work for one of them when that one is killed, and the other is told
    winning = ReleaseBucket(rehearsal.targets["staging"]).published().lock
    assert winning != before
    (winner,) = [one for one in people if ReleaseFolder.beside(one[0].environments).lock("staging") == winning]
    os.killpg(winner[1].pid, signal.SIGKILL)
    (loser,) = [one for one in people if one is not winner]
    _, said = loser[1].communicate(timeout=240)
    winner[1].communicate(timeout=240)
    assert loser[1].returncode == 1
    assert re.search("staging was promoted meanwhile, by|is not what staging was promoted to last, by", said)
    assert ReleaseFolder.beside(loser[0].environments).lock("staging") == before
    # And it is carried on by the same command, also where the file had not been written yet
    save_lock(ReleaseFolder.beside(winner[0].environments), before)
    _done(winner[0].run(*PROMOTE))
    assert ReleaseFolder.beside(winner[0].environments).lock("staging") == winning
    assert rehearsal.running("staging").bundle == winning.agents[AGENT].bundle
    assert rehearsal.running("staging").number == "2"
    assert rehearsal.running("production").number == "1"


@pytest.fixture(scope="module")
def winner(rehearsal, checkouts):
    """The checkout whose lock of staging is the published one."""
    published = ReleaseBucket(rehearsal.targets["staging"]).published().lock
    (found,) = [one for one in checkouts if ReleaseFolder.beside(one.environments).lock("staging") == published]
    return found


def test_a_canary_of_a_promotion_goes_back_and_the_lock_with_it(rehearsal, winner):
    releases = ReleaseFolder.beside(winner.environments)
    before, bundle = rehearsal.running("staging"), releases.lock("staging").agents[AGENT].bundle
    # Given a promotion to a staging that tries new versions
    winner.environments.write_text(
        winner.environments.read_text().replace("222222222222'", "222222222222', canary: {}")
    )
    winner.say("You know the tides, the moon, the wind and the rain.\n", version="1.0.1")
    _done(winner.run("deploy", "--env", "simulation"))
    told = _done(winner.run(*PROMOTE))
    # When it is read back, the canary is what was promoted, and live is what it was
    tried = releases.lock("staging").agents[AGENT].bundle
    assert f"{AGENT}: staging gives version 3, bundle {tried}, " in told
    assert rehearsal.running("staging").number == before.number
    refused = winner.run("promote", AGENT, "--from", "staging", "--to", "production", "--plan")
    assert refused.returncode == 1
    assert "A canary of tide runs in staging: version 3" in refused.stderr
    # Then it goes back by hand, and the lock names what live runs again
    done = _done(winner.run("canary", AGENT, "--env", "staging", "--back", "--reason", "it rains"))
    assert "names what live runs: commit it." in done
    restored = releases.lock("staging")
    assert restored.agents[AGENT].bundle == rehearsal.running("staging").bundle == bundle
    assert restored == ReleaseBucket(rehearsal.targets["staging"]).published().lock


def test_a_rollback_that_was_cut_off_before_the_lock_is_gone_on_with(rehearsal, winner):
    client = rehearsal.targets["staging"].client("bedrock-agentcore-control")
    (runtime,) = client.list_agent_runtimes()["agentRuntimes"]
    move = {"agentRuntimeId": runtime["agentRuntimeId"], "endpointName": "live"}
    client.update_agent_runtime_endpoint(**move, agentRuntimeVersion="1")
    rollback = ("rollback", AGENT, "--env", "staging", "--to", "1")
    # When
    assert "names it again: commit it." in _done(winner.run(*rollback))
    # Then
    lock = ReleaseFolder.beside(winner.environments).lock("staging")
    assert lock.agents[AGENT].bundle == rehearsal.running("staging").bundle
    assert lock == ReleaseBucket(rehearsal.targets["staging"]).published().lock
    again = winner.run(*rollback)
    assert (again.returncode, "is at version 1 already" in again.stderr) == (1, True)


def _status(client, stack):
    return client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]


def test_an_agent_is_taken_out_of_production_with_its_stack(rehearsal):
    asked = ("releases", "remove", AGENT, "--env", "production")
    assert rehearsal.run(*asked).returncode == 1  # nobody can answer
    done = _done(rehearsal.run(*asked, "--yes", "--reason", "the sea is gone"))
    assert "Production-Agent-tide: gone" in done
    assert rehearsal.running("production") is None
    lock = ReleaseFolder.beside(rehearsal.environments).lock("production")
    assert lock == ReleaseBucket(rehearsal.targets["production"]).published().lock
    assert (dict(lock.agents), lock.removed[AGENT].reason) == ({}, "the sea is gone")
    roles = rehearsal.targets["production"].client("iam").list_roles(PathPrefix="/strandline/")["Roles"]
    assert [one["RoleName"] for one in roles if one["Path"].startswith("/strandline/")] == []
