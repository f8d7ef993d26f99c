"""Sessions that were restored from one snapshot draw different random numbers, those of TLS connections too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("restored_twice.py")


def _drawn(*arguments):
    """What each of two restored processes draws: from Python, and from OpenSSL."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROGRAM.parents[2])}
    command = [sys.executable, str(PROGRAM), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    if "PermissionError" in done.stderr:
        pytest.skip("the kernel lets this user make no process namespaces, without which OpenSSL notices a fork")
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()]


def test_restored_processes_draw_alike_unless_they_are_helped():
    """The test below can fail: neither Python nor OpenSSL notices that it was restored."""
    one, other = _drawn()

    assert one == other


def test_first_request_of_a_restored_process_makes_its_randomness_its_own():
    (one_random, one_tls), (other_random, other_tls) = _drawn("helped")

    assert one_random != other_random
    assert one_tls != other_tls
