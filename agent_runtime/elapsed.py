"""Time that has passed for the world, also while this process stood still."""

from __future__ import annotations

import threading
import time


class ElapsedClock:
    """Seconds since the first call; never back, and not fooled by a microVM that was frozen or restored.

    In a guest that was paused or restored neither CLOCK_MONOTONIC nor CLOCK_BOOTTIME need have gone on: its kernel took
    no part in the pause and has nothing to add up. The wall clock is the one that the platform must put right, because
    AWS refuses signatures that are five minutes off; but it may also be set back. So of the two, whichever went further
    counts. A wall clock that is put forward by mistake only makes a cache read once too often.
    """

    def __init__(self) -> None:
        # No time yet: this is made before platform V2 takes its snapshot.
        self._last: tuple[float, float] | None = None
        self._seconds = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        """Tells the seconds."""
        with self._lock:
            now = time.monotonic(), time.time()
            if self._last is not None:
                self._seconds += max(0.0, now[0] - self._last[0], now[1] - self._last[1])
            self._last = now
            return self._seconds
