"""Secrets Manager as its client is seen by the handler: botocore's shapes, no network."""

from __future__ import annotations

import threading
import uuid

from botocore.exceptions import ClientError

ROLE = "arn:aws:sts::123456789012:assumed-role/strandline-simulation-tide/session"
MESSAGES = {
    "AccessDeniedException": f"User: {ROLE} is not authorized to perform: secretsmanager:GetSecretValue",
    "ResourceNotFoundException": "Secrets Manager can't find the specified secret.",
    "DecryptionFailure": "Secrets Manager can't decrypt the protected secret text using the provided KMS key.",
    "InvalidRequestException": "You can't perform this operation on the secret because it was marked for deletion.",
    "ThrottlingException": "Rate exceeded",
}


class SecretsManager:
    """A client whose secrets the test sets.

    Attributes:
        calls: Names of the secrets that were read, in order.
        batches: Names that each BatchGetSecretValue asked for, in order.
        faults: Exception to raise, by name of the secret; one that is no `ClientError` breaks the whole call.
        down: Exception that every call raises.
        batch_fault: Exception that BatchGetSecretValue raises.
        omits: Names that BatchGetSecretValue leaves out of its answer.
        hold: Set, unless the test wants reads to wait.
        threads: Names of the threads that read.
        closed: Times that the connections were closed.
    """

    def __init__(self, **secrets):
        self._answers = {}
        self.calls = []
        self.batches = []
        self.faults = {}
        self.down = None
        self.batch_fault = None
        self.omits = set()
        self.threads = set()
        self.hold = threading.Event()
        self.hold.set()
        self.closed = 0
        self._lock = threading.Lock()
        for name, text in secrets.items():
            self.put(name, text)

    def put(self, name, text, prefix="strandline/test/"):
        """Sets a secret's value, as a new version."""
        member = "SecretBinary" if isinstance(text, bytes) else "SecretString"
        self._answers[prefix + name] = {member: text, "VersionId": str(uuid.uuid4())}

    def remove(self, name, prefix="strandline/test/"):
        """Deletes a secret for good."""
        del self._answers[prefix + name]

    def refuse(self, name, code, message=None, prefix="strandline/test/"):
        """Answers a secret's reads with an error of the service."""
        self.faults[prefix + name] = service_error(code, message)

    def batch_get_secret_value(self, *, SecretIdList):
        """As boto3 has it."""
        assert 1 <= len(SecretIdList) <= 20
        with self._lock:
            self.batches.append(list(SecretIdList))
        self._wait_and_note(() if self.batch_fault else SecretIdList)
        if self.batch_fault:
            raise self.batch_fault
        answer = {"SecretValues": [], "Errors": []}
        for name in SecretIdList:
            if name in self.omits:
                continue
            try:
                answer["SecretValues"].append(self._answer(name))
            except ClientError as error:
                told = error.response["Error"]
                answer["Errors"].append({"SecretId": name, "ErrorCode": told["Code"], "Message": told["Message"]})
        return answer

    def get_secret_value(self, *, SecretId):
        """As boto3 has it."""
        self._wait_and_note([SecretId])
        return self._answer(SecretId)

    def close(self):
        """As boto3 has it."""
        self.closed += 1

    def _wait_and_note(self, names):
        with self._lock:
            self.calls += names
            self.threads.add(threading.current_thread().name)
        assert self.hold.wait(30)
        if self.down:
            raise self.down

    def _answer(self, name):
        if name in self.faults:
            raise self.faults[name]
        if name not in self._answers:
            raise service_error("ResourceNotFoundException")
        return {"Name": name, **self._answers[name]}


def service_error(code, message=None):
    """What boto3 raises for an error of the service."""
    return ClientError({"Error": {"Code": code, "Message": message or MESSAGES[code]}}, "BatchGetSecretValue")
