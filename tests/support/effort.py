"""What a piece of work may take of the processor."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS = 10.0


@contextmanager
def bounded_effort() -> Iterator[None]:
    """Fails what takes ten seconds of its own thread's processor time.

    Yields:
        Nothing.
    """
    # Ten times what the slowest takes on a slow machine; what grows with the square of these inputs takes minutes.
    start = time.thread_time()
    yield
    assert time.thread_time() - start < _SECONDS
