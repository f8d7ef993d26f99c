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
        faults: Exception to raise, by name of the secret.
        hold: Set, unless the test wants reads to wait.
        threads: Names of the threads that read.
    """

    def __init__(self, **secrets):
        self._answers = {}
        self.calls = []
        self.faults = {}
        self.threads = set()
        self.hold = threading.Event()
        self.hold.set()
        self._lock = threading.Lock()
        for name, text in secrets.items():
            self.put(name, text)

    def put(self, name, text, prefix="strandline/test/"):
        """Sets a secret's value, as a new version."""
        member = "SecretBinary" if isinstance(text, bytes) else "SecretString"
        self._answers[prefix + name] = {member: text, "VersionId": str(uuid.uuid4())}

    def refuse(self, name, code, message=None, prefix="strandline/test/"):
        """Answers a secret's reads with an error of the service."""
        self.faults[prefix + name] = ClientError(
            {"Error": {"Code": code, "Message": message or MESSAGES[code]}}, "GetSecretValue"
        )

    def get_secret_value(self, *, SecretId):
        """As boto3 has it."""
        with self._lock:
            self.calls.append(SecretId)
            self.threads.add(threading.current_thread().name)
        assert self.hold.wait(30)
        if SecretId in self.faults:
            raise self.faults[SecretId]
        if SecretId not in self._answers:
            code = "ResourceNotFoundException"
            raise ClientError({"Error": {"Code": code, "Message": MESSAGES[code]}}, "GetSecretValue")
        return dict(self._answers[SecretId])
