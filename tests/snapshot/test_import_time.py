"""Importing the handler's code reads no clock, random number or variable, and starts no connection or thread."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.snapshot.import_time import findings

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("watched_import.py")


def _found(tmp_path, **modules):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text(modules.pop("init", ""))
    for name, text in modules.items():
        (package / f"{name}.py").write_text(text)
    return findings(package)


def test_the_handler_does_nothing_of_the_kind():
    assert [str(finding) for finding in findings(ROOT / "agent_runtime")] == []


@pytest.mark.parametrize(
    ("code", "name", "what"),
    [
        ("import time\nSTARTED = time.time()", "time.time", "a clock"),
        ("import time as clock\nSTARTED = clock.monotonic()", "time.monotonic", "a clock"),
        ("from time import perf_counter as now\nSTARTED = now()", "time.perf_counter", "a clock"),
        ("import datetime\nSTARTED = datetime.datetime.now()", "datetime.datetime.now", "a clock"),
        ("from datetime import UTC, datetime\nSTARTED = datetime.now(UTC)", "datetime.datetime.now", "a clock"),
        ("from datetime import date\nTODAY = f'{date.today()}'", "datetime.date.today", "a clock"),
        ("import random\nJITTER = random.random()", "random.random", "a random number"),
        ("from random import Random\nDICE = Random()", "random.Random", "a random number"),
        ("import random\nrandom.seed(7)", "random.seed", "a random number"),
        ("import uuid\nPROCESS = str(uuid.uuid4())", "uuid.uuid4", "a random number"),
        ("import secrets\nSALT = [secrets.token_hex(8)]", "secrets.token_hex", "a random number"),
        ("import os\nSALT = os.urandom(8)", "os.urandom", "a random number"),
        ("import socket\nHOST = socket.gethostname()", "socket.gethostname", "a connection"),
        ("import httpx\nCLIENT = httpx.AsyncClient()", "httpx.AsyncClient", "a connection"),
        ("import boto3\nCLIENT = boto3.client('s3')", "boto3.client", "a client of AWS"),
        ("from boto3.session import Session\nSESSION = Session()", "boto3.session.Session", "a client of AWS"),
        ("import os\nMODE = os.environ['MODE']", "os.environ", "the environment"),
        ("import os\nMODE = os.environ.get('MODE', '')", "os.environ.get", "the environment"),
        ("from os import environ\nIS_SET = 'MODE' in environ", "os.environ", "the environment"),
        ("import os\nALL = {name: 1 for name in os.environ}", "os.environ", "the environment"),
        ("from os import getenv\nMODE = getenv('MODE')", "os.getenv", "the environment"),
        ("import platform\nNODE = platform.node()", "platform.node", "this host"),
        ("import os\nPROCESS = os.getpid()", "os.getpid", "this host"),
        ("import threading\nthreading.Thread(target=print).start()", "threading.Thread.start", "a thread or process"),
        ("import subprocess\nOUT = subprocess.run(['true'])", "subprocess.run", "a thread or process"),
        ("import asyncio\nLOOP = asyncio.new_event_loop()", "asyncio.new_event_loop", "an event loop"),
    ],
)
def test_call_at_the_top_of_a_module_is_found(tmp_path, code, name, what):
    found = _found(tmp_path, bad=code)

    assert (name, what) in {(finding.name, finding.what) for finding in found}
    assert {finding.place for finding in found} == {"package/bad.py:2"}


@pytest.mark.parametrize(
    "code",
    [
        "class Handler:\n    started = time.time()",
        "class Handler:\n    def f(self, now=time.time()): ...",
        "def f(*, now=time.time()): ...",
        "async def f(now=time.time()): ...",
        "f = lambda now=time.time(): now",
        "@register(time.time())\ndef f(): ...",
        "class Handler(base(time.time())): ...",
        "if True:\n    NOW = time.time()",
        "try:\n    import nothing\nexcept ImportError:\n    NOW = time.time()",
        "with open('x') as file:\n    file.write(f'{time.time()}')",
        "NOW: float = time.time()",
        "NOWS = [time.time() for _ in range(3)]",
        "def helper():\n    return time.time()\nNOW = helper()",
        "def helper():\n    return time.time()\ndef outer():\n    return helper()\nNOW = outer()",
        "class Clock:\n    def __init__(self):\n        self.now = time.time()\nCLOCK = Clock()",
        "@dataclass\nclass Clock:\n    now: float = field(default_factory=time.time)\nCLOCK = Clock()",
        "@dataclass\nclass Clock:\n    now: float = field(default_factory=lambda: time.time())\nCLOCK = Clock()",
        "def decorator(f):\n    f.made = time.time()\n    return f\n@decorator\ndef f(): ...",
    ],
)
def test_whatever_runs_at_import_is_looked_at(tmp_path, code):
    found = _found(tmp_path, bad=f"import time\nfrom dataclasses import dataclass, field\n{code}\n")

    assert {(finding.name, finding.what) for finding in found} == {("time.time", "a clock")}


@pytest.mark.parametrize(
    "code",
    [
        "def f():\n    return time.time()",
        "async def f():\n    return time.time()",
        "class Handler:\n    def f(self):\n        return time.time()",
        "f = lambda: time.time()",
        "def f(clock=time.time): ...",
        "@dataclass\nclass Clock:\n    now: float = field(default_factory=time.time)",
        "class Clock:\n    def __init__(self):\n        self.now = time.time()",
        "if TYPE_CHECKING:\n    NOW = time.time()",
        "if __name__ == '__main__':\n    print(time.time())",
        "os.environ['LITELLM_MODE'] = 'PRODUCTION'",
        "async def helper():\n    return time.time()\nWAITING = helper",
        "import uuid\nSPACE = uuid.UUID(int=1)",
    ],
)
def test_what_runs_later_is_none_of_its_business(tmp_path, code):
    top = "import os\nimport time\nfrom dataclasses import dataclass, field\nfrom typing import TYPE_CHECKING\n"

    assert _found(tmp_path, good=top + code) == []


def test_functions_of_other_modules_are_followed_and_the_way_is_told(tmp_path):
    found = _found(
        tmp_path,
        init="from package.clock import Clock as Clock",
        clock="import time\nclass Clock:\n    def __init__(self):\n        self.now = time.time()\n",
        user="from package import Clock\n\nCLOCK = Clock()\n",
    )

    (finding,) = found
    assert (finding.place, finding.way) == ("package/clock.py:4", ("package/user.py:3 Clock",))
    assert "called from package/user.py:3 Clock" in str(finding)


def test_relative_imports_are_followed(tmp_path):
    found = _found(
        tmp_path,
        clock="import time\ndef now():\n    return time.time()\n",
        user="from .clock import now\nNOW = now()\n",
    )

    assert [finding.place for finding in found] == ["package/clock.py:3"]


def test_make_lint_runs_it_and_it_fails_the_build(tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "bad.py").write_text("import time\nNOW = time.time()\n")

    command = [sys.executable, "-m", "tests.snapshot.import_time"]
    done = subprocess.run(
        [*command, str(tmp_path / "package")], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 1
    assert done.stdout.startswith("package/bad.py:2: time.time reads or starts a clock while the module is imported")
    lint = (ROOT / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0]
    assert "-m tests.snapshot.import_time agent_runtime" in lint


def _watched(package, folder=ROOT):
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(folder), package], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_modules_of_the_handler_read_and_start_nothing_when_they_are_imported():
    """For what no reading of the code can see: functions that are called by way of a library."""
    seen = _watched("agent_runtime")

    assert seen["calls"] == []
    assert seen["threads"] == ["MainThread"]
    assert len(seen["modules"]) == len([*(ROOT / "agent_runtime").rglob("*.py")])


def test_the_watch_sees_calls_by_way_of_a_library(tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text(
        "import functools, os, threading, time, uuid\n"
        "NOW = functools.reduce(lambda now, clock: clock(), [time.time], 0)\n"
        "NAME = getattr(uuid, 'uuid4')()\n"
        "MODE = vars(os)['environ'].get('MODE')\n"
    )

    seen = _watched("package", tmp_path)

    assert [(one["function"], one["line"]) for one in seen["calls"]] == [
        ("time.time", 2),
        ("uuid.uuid4", 3),
        ("os.environ", 4),
    ]
