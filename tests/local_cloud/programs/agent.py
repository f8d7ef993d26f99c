# ruff: noqa: S310 - addresses of this machine
"""A stand-in for the packaged handler: the contract of AgentCore, and answers about itself."""

import http.server
import json
import os
import signal
import sys
import time
import urllib.request
from pathlib import Path

MODE = os.environ.get("MODE", "good")
if MODE == "crash":
    sys.exit("the handler cannot start")
if MODE == "silent":
    time.sleep(60)


def credentials():
    """The role's credentials, fetched as boto3 fetches them: the artefact holds no boto3."""
    uri, token = os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"], os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    request = urllib.request.Request(uri, headers={"Authorization": token})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path != "/ping":
            self.do_describe({})
            return
        if MODE == "no-ping":
            self.answer(404, {})
            return
        status = "HealthyBusy" if MODE == "busy" else "Healthy"
        self.answer(200, {"status": status})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])) or b"{}")
        getattr(self, f"do_{body.get('do', 'describe')}")(body)

    def do_describe(self, body):
        print(f"described {body.get('note', '')}", flush=True)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.answer(
            200,
            {"pid": os.getpid(), "environment": dict(os.environ), "headers": headers, "mode": MODE, "path": self.path},
        )

    def do_credentials(self, body):
        self.answer(200, credentials())

    def do_fail(self, body):
        self.answer(500, {"error": "inside"})

    def do_exit(self, body):
        os.kill(os.getpid(), signal.SIGKILL)

    def do_stream(self, body):
        """Each piece waits until the reader has shown that it has the one before."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for number in range(3):
            while number and not Path(f"{body['gate']}{number}").exists():
                time.sleep(0.01)
            data = b"data: %d\n\n" % number
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def do_endless(self, body):
        """Until the connection breaks, which it notes in a file."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"data: x\n\n")
                self.wfile.flush()
                time.sleep(0.02)
        except OSError:
            Path(body["note"]).write_text("broken")
            self.close_connection = True

    def answer(self, code, value):
        data = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments):
        pass


address = (os.environ["STRANDLINE_HOST"], int(os.environ["STRANDLINE_PORT"]))
http.server.ThreadingHTTPServer(address, Handler).serve_forever()
