"""What a piece of work may take of the processor."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def bounded_effort(seconds: float) -> Iterator[None]:
    """Fails what takes more than its share of the processor; what else the machine does is not counted.

    Args:
        seconds: What it may take, of this thread's processor time.

    Yields:
        Nothing.
    """
    start = time.thread_time()
    yield
    assert time.thread_time() - start < seconds
