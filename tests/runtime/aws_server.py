"""S3 and Secrets Manager as far as the handler's process asks them, over HTTP, for boto3 itself to talk to."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class AwsServer:
    """A context manager; point `AWS_ENDPOINT_URL` at its `url`.

    Attributes:
        objects: Content by `/<bucket>/<key>`.
        secrets: Text by name.
        refusal: Status and code that S3 answers with, instead of what it holds.
        calls: What was asked for, in order.
    """

    def __init__(self):
        self.objects = {}
        self.secrets = {}
        self.refusal = None
        self.calls = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05})

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
        owner.calls.append(path)
        if owner.refusal:
            status, code = owner.refusal
            self._send(status, f"<Error><Code>{code}</Code><Message>No.</Message></Error>".encode())
        elif path in owner.objects:
            self._send(200, owner.objects[path])
        else:
            self._send(404, b"<Error><Code>NoSuchKey</Code><Message>No.</Message></Error>")

    def do_POST(self):
        owner = self.server.owner
        name = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["SecretId"]
        owner.calls.append(name)
        if name in owner.secrets:
            answer = {"Name": name, "SecretString": owner.secrets[name], "VersionId": "1" * 32}
            self._send(200, json.dumps(answer).encode())
        else:
            self._send(400, json.dumps({"__type": "ResourceNotFoundException", "message": "No."}).encode())

    def _send(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Keeps the tests' output clean."""
