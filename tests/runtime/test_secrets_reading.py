"""What is asked of Secrets Manager, and what becomes of each of its answers."""

from __future__ import annotations

import logging

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, NoCredentialsError, NoRegionError
from botocore.stub import Stubber

from agent_runtime import aws_clients, secret_reader
from agent_runtime.secret_reader import Cause, SecretReader, SecretValue, secrets_client
from agent_runtime.secret_store import CachePolicy
from tests.support.secrets_manager import MESSAGES, SecretsManager, service_error

PREFIX = "strandline/test/"
KEY = "sk-canary-0123456789abcdef"
OUTAGES = [
    EndpointConnectionError(endpoint_url="https://secretsmanager.example"),
    ConnectTimeoutError(endpoint_url="https://secretsmanager.example"),
    NoCredentialsError(),
    service_error("ThrottlingException"),
    service_error("InternalServiceError", "canary"),
    service_error("ExpiredTokenException", "canary"),
    OSError("canary"),
]


@pytest.fixture
def manager():
    return SecretsManager(MODEL_KEY=KEY, TEAM="canary-team", SECOND="canary-second")


def reader_of(manager, made=None):
    """A reader that notes each client that it makes."""

    def make():
        if made is not None:
            made.append(manager)
        return manager

    return SecretReader(prefix=PREFIX, environment="test", client_factory=make)


def names(*variables):
    return [PREFIX + variable for variable in variables]


def test_all_variables_are_asked_for_in_one_call(manager):
    found = reader_of(manager).read(["MODEL_KEY", "SECOND", "TEAM"])

    assert manager.batches == [names("MODEL_KEY", "SECOND", "TEAM")]
    assert {variable: value.text for variable, value in found.items()} == {
        "MODEL_KEY": KEY,
        "SECOND": "canary-second",
        "TEAM": "canary-team",
    }


@pytest.mark.parametrize(("count", "sizes"), [(1, [1]), (20, [20]), (21, [20, 1]), (45, [20, 20, 5])])
def test_a_call_asks_for_no_more_than_secrets_manager_takes(count, sizes):
    variables = [f"V{number:02}" for number in range(count)]
    manager = SecretsManager(**dict.fromkeys(variables, "canary"))

    found = reader_of(manager).read(variables)

    assert [len(batch) for batch in manager.batches] == sizes
    assert list(found) == variables


def test_the_call_is_one_that_boto3_knows():
    client = boto3.session.Session().client("secretsmanager", region_name="eu-central-1")
    answer = {
        "SecretValues": [{"Name": PREFIX + "MODEL_KEY", "VersionId": "1" * 32, "SecretString": f"{KEY}\n"}],
        "Errors": [
            # Either may stand there, says the API reference.
            {
                "SecretId": f"arn:aws:secretsmanager:eu-central-1:123456789012:secret:{PREFIX}TEAM-a1B2c3",
                "ErrorCode": "AccessDeniedException",
                "Message": MESSAGES["AccessDeniedException"],
            },
            {"SecretId": PREFIX + "SECOND", "ErrorCode": "ResourceNotFoundException", "Message": "No."},
        ],
    }
    with Stubber(client) as stub:
        stub.add_response("batch_get_secret_value", answer, {"SecretIdList": names("MODEL_KEY", "TEAM", "SECOND")})
        found = SecretReader(prefix=PREFIX, environment="test", client_factory=lambda: client).read(
            ["MODEL_KEY", "TEAM", "SECOND"]
        )

    assert found["MODEL_KEY"] == SecretValue(KEY, "1" * 32)
    assert "strandline/test/TEAM cannot be read by role strandline-simulation-tide " in found["TEAM"].message
    assert found["SECOND"].means_absent


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda one: type(one).__name__)
def test_an_outage_is_one_of_every_secret_and_quotes_nothing(manager, outage):
    manager.down = outage

    found = reader_of(manager).read(["MODEL_KEY", "TEAM"])

    assert {fault.cause for fault in found.values()} == {Cause.OUTAGE}
    for variable, fault in found.items():
        assert fault.message.startswith(f"Secret strandline/test/{variable} cannot be read")
        assert "canary" not in fault.message
        assert "\n" not in fault.message
    assert len(manager.batches) == 1


def test_a_client_that_cannot_be_made_is_an_outage():
    def refuse():
        raise NoRegionError

    found = SecretReader(prefix=PREFIX, environment="test", client_factory=refuse).read(["MODEL_KEY"])

    assert "cannot be reached (NoRegionError)" in found["MODEL_KEY"].message


def test_an_outage_makes_the_next_read_look_for_credentials_anew_and_nothing_else_does(manager):
    made = []
    reader = reader_of(manager, made)
    manager.refuse("TEAM", "AccessDeniedException")
    for _ in range(3):
        reader.read(["MODEL_KEY", "TEAM"])
    assert len(made) == 1

    manager.down = service_error("ExpiredTokenException", "expired")
    reader.read(["MODEL_KEY"])
    manager.down = None
    found = reader.read(["MODEL_KEY"])

    assert len(made) == 2
    assert found["MODEL_KEY"].text == KEY


def test_no_connection_stays_open_between_reads(manager):
    reader = reader_of(manager)

    reader.read(["MODEL_KEY"])
    manager.down = OUTAGES[0]
    reader.read(["MODEL_KEY"])

    assert manager.closed == 2


def test_a_secret_that_the_answer_leaves_out_is_asked_for_by_itself(manager):
    manager.omits = {PREFIX + "TEAM"}

    found = reader_of(manager).read(["MODEL_KEY", "TEAM"])

    assert found["TEAM"].text == "canary-team"
    assert manager.calls == names("MODEL_KEY", "TEAM", "TEAM")


def test_a_role_that_may_not_batch_reads_one_by_one_and_says_so_once(manager, caplog):
    manager.batch_fault = service_error("AccessDeniedException")
    reader = reader_of(manager)

    first, second = reader.read(["MODEL_KEY", "TEAM"]), reader.read(["MODEL_KEY", "TEAM"])

    assert [one["TEAM"].text for one in (first, second)] == ["canary-team"] * 2
    assert len(manager.batches) == 1
    assert manager.calls == names("MODEL_KEY", "TEAM") * 2
    assert caplog.text.count("action=<secretsmanager:BatchGetSecretValue> | is denied to the role") == 1


def test_a_batch_refused_for_one_secret_tells_which(manager):
    # Documented as the answer to one bad secret among several, though Errors is the place for it.
    manager.batch_fault = service_error("DecryptionFailure")
    manager.refuse("TEAM", "DecryptionFailure")
    reader = reader_of(manager)

    found = reader.read(["MODEL_KEY", "TEAM"])
    manager.batch_fault = None
    reader.read(["MODEL_KEY"])

    assert found["MODEL_KEY"].text == KEY
    assert "Secret strandline/test/TEAM cannot be read" in found["TEAM"].message
    assert len(manager.batches) == 2


@pytest.mark.parametrize(
    ("code", "said", "cause", "words"),
    [
        ("AccessDeniedException", None, Cause.REVOKED, ["role strandline-simulation-tide ", "GetSecretValue"]),
        ("AccessDeniedException", "Access to KMS is not allowed", Cause.REVOKED, ["kms:Decrypt"]),
        ("ResourceNotFoundException", None, Cause.REVOKED, ["`strandline secrets set MODEL_KEY --env test`"]),
        ("DecryptionFailure", None, Cause.REVOKED, ["kms:Decrypt"]),
        ("InvalidRequestException", None, Cause.REVOKED, ["scheduled for deletion"]),
        ("ThrottlingException", None, Cause.OUTAGE, ["try again later"]),
        ("InternalServiceError", "canary", Cause.OUTAGE, ["see the secret"]),
    ],
)
def test_a_refusal_tells_its_cause_and_its_mend(manager, code, said, cause, words):
    manager.refuse("MODEL_KEY", code, said)

    fault = reader_of(manager).read(["MODEL_KEY", "TEAM"])["MODEL_KEY"]

    assert fault.cause is cause
    for word in ["strandline/test/MODEL_KEY", code, *words]:
        assert word in fault.message
    assert "canary" not in fault.message


@pytest.mark.parametrize(
    ("text", "words", "absent"),
    [
        ("", "is empty", True),
        (" \n", "is empty", True),
        (b"\x00canary", "holds binary data", False),
        ("canary\nX-Injected: 1", "holds a line break", False),
        ("\ufeffcanary", "holds a line break, a control character or a character outside ASCII", False),
    ],
)
def test_a_version_that_cannot_be_a_key_is_broken(manager, text, words, absent):
    manager.put("MODEL_KEY", text)

    fault = reader_of(manager).read(["MODEL_KEY"])["MODEL_KEY"]

    assert (fault.cause, fault.means_absent) == (Cause.BROKEN, absent)
    assert f"Secret strandline/test/MODEL_KEY {words}" in fault.message
    assert "canary" not in f"{fault.message}{fault!r}"


def test_a_client_gives_up_within_the_time_that_a_cold_request_waits(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    config = secrets_client().meta.config

    # botocore's standard mode sleeps for at most 1, 2, 4 ... seconds between two attempts.
    attempts = config.retries["total_max_attempts"]
    pauses = sum(2**number for number in range(attempts - 1))
    silent, out_of_reach = attempts * config.read_timeout + pauses, attempts * config.connect_timeout + pauses
    assert max(silent, out_of_reach) < CachePolicy().deadline < 10


def test_a_server_that_never_answers_is_told_as_a_timeout(monkeypatch, caplog, silent_server):
    for name, value in {
        "AWS_ENDPOINT_URL": silent_server,
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "canary",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(aws_clients, "READ_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(secret_reader, "_ATTEMPTS", 1)
    caplog.set_level(logging.WARNING)

    reader = SecretReader(
        prefix=PREFIX,
        environment="test",
        client_factory=secrets_client,
    )

    message = "Secret strandline/test/MODEL_KEY cannot be read: Secrets Manager cannot be reached (ReadTimeoutError)."
    assert reader.read(["MODEL_KEY"])["MODEL_KEY"].message == message
