"""S3 and Secrets Manager as far as the handler's process asks them, over HTTP, for boto3 itself to talk to.

Also the place where a process in a container finds its role's credentials: `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
"""

from __future__ import annotations

import hashlib
import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CREDENTIALS_PATH = "/role/credentials"
_ABSENT = "ResourceNotFoundException"


class AwsServer:
    """A context manager; point `AWS_ENDPOINT_URL` at its `url`.

    Attributes:
        objects: Content by `/<bucket>/<key>`.
        secrets: Text by name.
        refusal: Status and code that S3 answers with, instead of what it holds.
        calls: What was asked for, in order.
        credentials_last: How long the next credentials of the role last.
        tokens: Session token of each call, in order; none where the caller has lasting credentials.
    """

    def __init__(self):
        self.objects = {}
        self.secrets = {}
        self.refusal = None
        self.calls = []
        self.credentials_last = timedelta(hours=1)
        self.tokens = []
        self._given = 0
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.005})

    @property
    def credentials_url(self):
        """What `AWS_CONTAINER_CREDENTIALS_FULL_URI` is set to."""
        return self.url + CREDENTIALS_PATH

    def credentials(self):
        """The role's next credentials; each has a token of its own."""
        self._given += 1
        return {
            "AccessKeyId": f"ASIATEST{self._given:08}",
            "SecretAccessKey": f"canary-role-secret-{self._given:08}",
            "Token": f"canary-role-token-{self._given:08}",
            "Expiration": (datetime.now(UTC) + self.credentials_last).isoformat(),
        }

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        owner = self.server.owner
        path = self.path.partition("?")[0]
        if path == CREDENTIALS_PATH:
            self._send(200, json.dumps(owner.credentials()).encode())
            return
        owner.calls.append(path)
        owner.tokens.append(self.headers["X-Amz-Security-Token"])
        if owner.refusal:
            status, code = owner.refusal
            self._send(status, f"<Error><Code>{code}</Code><Message>No.</Message></Error>".encode())
        elif path in owner.objects:
            self._send(200, owner.objects[path])
        else:
            self._send(404, b"<Error><Code>NoSuchKey</Code><Message>No.</Message></Error>")

    def do_POST(self):
        owner = self.server.owner
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_batch = self.headers["X-Amz-Target"] == "secretsmanager.BatchGetSecretValue"
        names = asked["SecretIdList"] if is_batch else [asked["SecretId"]]
        owner.calls += names
        owner.tokens.append(self.headers["X-Amz-Security-Token"])
        entries = [_version(name, owner.secrets[name]) for name in names if name in owner.secrets]
        if is_batch:
            errors = [
                {"SecretId": name, "ErrorCode": _ABSENT, "Message": "No."}
                for name in names
                if name not in owner.secrets
            ]
            self._send(200, json.dumps({"SecretValues": entries, "Errors": errors}).encode())
        elif entries:
            self._send(200, json.dumps(entries[0]).encode())
        else:
            self._send(400, json.dumps({"__type": _ABSENT, "message": "No."}).encode())

    def _send(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Keeps the tests' output clean."""


def _version(name, text):
    return {"Name": name, "SecretString": text, "VersionId": hashlib.sha256(text.encode()).hexdigest()[:32]}
