"""Randomness of this session's own.

Platform V2 restores every session from one snapshot of the started process. Two generators keep their state in that
memory, so all sessions would go on alike: Python's `random` (OpenTelemetry's trace ids, the pauses before retries), and
OpenSSL's (the keys of TLS connections; it has been used by then, to fetch the bundle). Both notice a fork, by its hook
and by the process id; a restored session has neither. `uuid4`, `secrets` and `os.urandom` ask the kernel instead.
"""

from __future__ import annotations

import functools
import os
import random
import ssl

_SEED_BYTES = 32


@functools.cache
def take_fresh_randomness() -> None:
    """Seeds both generators from the kernel, once: called in the first request, which is after the snapshot.

    See "Handling uniqueness with Lambda SnapStart" (AWS Lambda Developer Guide), whose rules are those of any snapshot,
    and RAND_add (OpenSSL's manual).
    """
    random.seed()
    ssl.RAND_add(os.urandom(_SEED_BYTES), float(_SEED_BYTES))
