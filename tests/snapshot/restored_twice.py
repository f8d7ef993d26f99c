"""Restores one process twice and prints what each of the two draws: from Python's generator, and from OpenSSL's.

A process that is restored keeps its id, by which OpenSSL notices a fork. So each is the first of a process namespace of
its own. Given any argument, the restored process does what the handler does in its first request.
"""

from __future__ import annotations

import ctypes
import os
import platform
import random
import signal
import ssl
import sys
import traceback

from agent_runtime.fresh_randomness import take_fresh_randomness

_CLONE_NEWUSER, _CLONE_NEWPID = 0x10000000, 0x20000000
_SYS_CLONE = {"x86_64": 56, "aarch64": 220}[platform.machine()]


def main():
    """Starts the process, and restores it twice."""
    _in_a_copy(lambda: _started(is_helped=len(sys.argv) > 1), namespaces=_CLONE_NEWPID)


def _started(*, is_helped):
    # Both have been used by then: OpenSSL to fetch the bundle.
    random.getrandbits(64), ssl.RAND_bytes(16)
    for _ in range(2):
        _in_a_copy(lambda: _restored(is_helped=is_helped), namespaces=_CLONE_NEWPID)


def _restored(*, is_helped):
    assert os.getpid() == 1
    if is_helped:
        take_fresh_randomness()
    print(random.getrandbits(64), ssl.RAND_bytes(16).hex(), flush=True)


def _in_a_copy(work, namespaces):
    """Runs work in a copy of this process that no hook has noticed."""
    libc = ctypes.PyDLL(None, use_errno=True)
    pid = libc.syscall(_SYS_CLONE, namespaces | signal.SIGCHLD, 0, 0, 0, 0)
    if pid < 0 and not namespaces & _CLONE_NEWUSER:
        _in_a_copy(work, namespaces | _CLONE_NEWUSER)
        return
    if pid < 0:
        raise PermissionError(ctypes.get_errno(), "no process namespace")
    if pid == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    if status:
        sys.exit(1)


if __name__ == "__main__":
    main()
