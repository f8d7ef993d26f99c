"""A process that is killed before or after one of its calls to AWS."""

from __future__ import annotations

from hypothesis import strategies as st


def crashes(most):
    """Where a step of so many calls is cut off, if it is."""
    return st.none() | st.tuples(st.integers(0, most - 1), st.sampled_from(["before", "after"]))


class Crash(BaseException):
    """The process is killed here."""


class CrashingClient:
    """A client whose process dies before or after one of its calls."""

    def __init__(self, client):
        self._client = client
        self.crash_at = None
        self._calls = 0

    def arm(self, crash_at):
        self.crash_at, self._calls = crash_at, 0

    def __getattr__(self, name):
        method = getattr(self._client, name)
        if not callable(method) or name == "exceptions":
            return method

        def call(**arguments):
            if self.crash_at == (self._calls, "before"):
                raise Crash
            answer = method(**arguments)
            if self.crash_at == (self._calls, "after"):
                raise Crash
            self._calls += 1
            return answer

        return call
