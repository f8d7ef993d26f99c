"""Imports every module of a package with each clock, generator and so on replaced by one that tells who called it.

Run as a program: the folder to import from, and the package. The package is imported twice, and watched the second
time, when what it imports of others is there already.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import random
import secrets
import socket
import sys
import threading
import time
import uuid
from pathlib import Path

WATCHED = {
    time: ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "localtime", "gmtime"),
    random: ("random", "randint", "uniform", "choice", "getrandbits", "seed", "Random"),
    secrets: ("token_bytes", "token_hex", "token_urlsafe", "randbits", "choice"),
    uuid: ("uuid1", "uuid4", "getnode"),
    os: ("urandom", "getpid", "uname"),
    socket: ("socket", "create_connection", "gethostname", "getaddrinfo"),
    threading: ("Thread", "Timer"),
}
CLIENTS = {"boto3": ("client", "resource", "Session"), "botocore.session": ("Session", "get_session")}


def main():
    """Prints the calls as JSON."""
    root, package = sys.argv[1:]
    sys.path.insert(0, root)
    folder = str(Path(root) / package)
    names = _import_all(package)
    for name in [*sys.modules]:
        if name.partition(".")[0] == package:
            del sys.modules[name]
    calls = []
    for module, functions in WATCHED.items():
        _watch(module, functions, folder, calls)
    for name, functions in CLIENTS.items():
        _watch(importlib.import_module(name), functions, folder, calls)
    os.environ.__class__ = _environment(folder, calls)
    _import_all(package)
    print(json.dumps({"calls": calls, "modules": names, "threads": [one.name for one in threading.enumerate()]}))


def _import_all(package):
    root = importlib.import_module(package)
    found = pkgutil.walk_packages(root.__path__, f"{package}.")
    names = [package, *(module.name for module in found)]
    for name in names:
        importlib.import_module(name)
    return names


def _watch(module, functions, folder, calls):
    for name in functions:
        setattr(module, name, _told(f"{module.__name__}.{name}", getattr(module, name), folder, calls))


def _told(name, function, folder, calls):
    if isinstance(function, type):

        class Watched(function):
            def __new__(cls, *arguments, **more):
                _note(name, folder, calls)
                return function.__new__(cls, *arguments, **more)

        Watched.__name__ = Watched.__qualname__ = function.__name__
        return Watched

    def watched(*arguments, **more):
        _note(name, folder, calls)
        return function(*arguments, **more)

    return watched


def _environment(folder, calls):
    class Watched(type(os.environ)):
        def __getitem__(self, name):
            # Libraries read settings of their own: pydantic does for each class.
            _note("os.environ", folder, calls, depth=4)
            return super().__getitem__(name)

    return Watched


def _note(name, folder, calls, depth=None):
    """Notes a call that came out of the package, by way of however many others, or of so many at most."""
    frame, steps = sys._getframe(2), 0
    # What an import runs lies below the import: what called the import is none of its business.
    while frame and "importlib" not in frame.f_code.co_filename and (depth is None or steps < depth):
        file, line = frame.f_code.co_filename, frame.f_lineno
        if file.startswith(folder):
            if (file, line) not in {(call["file"], call["line"]) for call in calls}:
                calls.append({"function": name, "file": file, "line": line})
            return
        frame, steps = frame.f_back, steps + 1


if __name__ == "__main__":
    main()
