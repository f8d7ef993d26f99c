"""The handler's way of reading secrets, with a role's rights: all in one call, each by a right of its own."""

from __future__ import annotations

from agent_runtime.secret_reader import Cause, SecretReader

PREFIX = "strandline/batch/"
BATCH = {"Action": "secretsmanager:BatchGetSecretValue", "Resource": "*"}


def read(*names):
    """The right to read secrets, as an agent's role has it."""
    arn = f"arn:aws:secretsmanager:us-east-1:000000000000:secret:{PREFIX}"
    return {"Action": "secretsmanager:GetSecretValue", "Resource": [f"{arn}{name}-??????" for name in names]}


def reader_of(client):
    return SecretReader(prefix=PREFIX, environment="batch", client_factory=lambda: client)


def test_a_batch_brings_what_the_role_may_read_and_tells_of_each_other_why_not(aws, assume):
    made = {name: aws.secretsmanager.create_secret(Name=PREFIX + name, SecretString="x") for name in ("MINE", "GONE")}
    # As the Secrets stack makes it: there, and without a value.
    empty = {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": f"{PREFIX}EMPTY"}}
    aws.deploy("batch-secrets", {"Resources": {"Empty": empty}})
    aws.secretsmanager.create_secret(Name=f"{PREFIX}OTHER", SecretString="canary-of-another")
    aws.secretsmanager.delete_secret(SecretId=made["GONE"]["ARN"], RecoveryWindowInDays=7)
    client = assume("batch-reader", [read("MINE", "GONE", "EMPTY"), BATCH]).secretsmanager

    found = reader_of(client).read(["MINE", "GONE", "EMPTY", "OTHER"])

    assert (found["MINE"].text, found["MINE"].version_id) == ("x", made["MINE"]["VersionId"])
    assert {name: found[name].cause for name in ("GONE", "EMPTY", "OTHER")} == dict.fromkeys(
        ("GONE", "EMPTY", "OTHER"), Cause.REVOKED
    )
    assert "scheduled for deletion" in found["GONE"].message
    assert found["EMPTY"].means_absent
    assert f"Secret {PREFIX}OTHER cannot be read by role batch-reader (AccessDeniedException)" in found["OTHER"].message
    assert "canary" not in str(found)


def test_a_new_version_is_told_by_its_id(aws, assume):
    aws.secretsmanager.create_secret(Name=f"{PREFIX}ROTATED", SecretString="x")
    reader = reader_of(assume("batch-rotated", [read("ROTATED"), BATCH]).secretsmanager)
    before = reader.read(["ROTATED"])["ROTATED"]

    version = aws.secretsmanager.put_secret_value(SecretId=f"{PREFIX}ROTATED", SecretString="y")["VersionId"]

    after = reader.read(["ROTATED"])["ROTATED"]
    assert (after.text, after.version_id) == ("y", version)
    assert before.version_id != version


def test_a_role_without_the_batch_reads_its_secrets_all_the_same(aws, assume):
    aws.secretsmanager.create_secret(Name=f"{PREFIX}SINGLE", SecretString="z")
    reader = reader_of(assume("single-reader", [read("SINGLE")]).secretsmanager)

    assert reader.read(["SINGLE"])["SINGLE"].text == "z"
