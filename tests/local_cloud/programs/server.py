"""A stand-in for a container image: an HTTP server that tells about itself."""

import http.server
import json
import os
import sys
import time
from pathlib import Path

MODE = os.environ.get("MODE", "good")
if MODE == "crash":
    sys.exit("the server cannot start")


def option(name):
    return sys.argv[sys.argv.index(name) + 1]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path.startswith("/stream"):
            self.stream(self.path.split("=", 1)[1])
            return
        code = 500 if MODE == "sick" and self.path == "/health" else 200
        self.answer(code, {"pid": os.getpid(), "mode": MODE, "environment": dict(os.environ), "argv": sys.argv[1:]})

    def stream(self, gate):
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.send_header("x-pid", str(os.getpid()))
        self.end_headers()
        for number in range(3):
            while number and not Path(f"{gate}{number}").exists():
                time.sleep(0.01)
            self.wfile.write(b"1\r\n%d\r\n" % number)
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def answer(self, code, value):
        data = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments):
        pass


print("serving", flush=True)
http.server.ThreadingHTTPServer((option("--host"), int(option("--port"))), Handler).serve_forever()
