"""The agent's secrets as the requests of this process see them: cached, fresh, and there while Secrets Manager is not.

Platform V2 restores every session from a snapshot of the started process, so nothing here reads a secret, a clock or a
random number before the first request. AgentCore freezes sessions that idle, so no timer runs either: the requests
themselves drive the refreshes, each in a thread that ends with it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent_runtime.elapsed import ElapsedClock
from agent_runtime.secret_reader import Cause, SecretError, SecretFault, SecretReader, SecretValue
from agent_runtime.telemetry import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

logger = logging.getLogger(__name__)

CACHE_SECONDS = 300.0
STALE_SECONDS = 7200.0

_REFRESH_FROM, _REFRESH_SPREAD = 0.8, 0.15
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 60.0


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """How old a value may get, and how long a request waits; all in seconds.

    Attributes:
        ttl: Age at which a request reads before it serves; the refresh in the background begins at 80 to 95 % of it.
        stale: Age up to which a value serves while Secrets Manager is out, or its newest version cannot be a key.
        revoked: The same after the secret, or the right to read it, was taken away. Not at once: a role's policy that
            is being replaced and a key that is being re-created look the same for some minutes.
        patience: Longest wait for a read when an older value could serve.
        deadline: Longest wait when none could, or its provider has refused it.
    """

    ttl: float = CACHE_SECONDS
    stale: float = STALE_SECONDS
    revoked: float = 900.0
    patience: float = 2.0
    deadline: float = 8.0

    def bound(self, fault: SecretFault | None) -> float:
        """Age up to which a value serves in spite of a fault."""
        return self.revoked if fault is not None and fault.cause is Cause.REVOKED else self.stale


@dataclass(slots=True)
class _Known:
    """What is known of one variable's secret.

    Attributes:
        value: The last good value.
        confirmed: When the read began that brought it.
        fault: What the last read told instead of a value.
        absent: Whether Secrets Manager's last word was that there is no value.
        refused: Version that a provider refused.
        refusals: Times that this version was read again for it.
        ask_again: When it may be read again for it.
    """

    value: SecretValue | None = None
    confirmed: float = 0.0
    fault: SecretFault | None = None
    absent: bool = False
    refused: str | None = None
    refusals: int = 0
    ask_again: float = 0.0


@dataclass(frozen=True, slots=True)
class _Reading:
    """A read that is on its way.

    Attributes:
        variables: What it reads.
        began: When.
        refused: Versions by variable for whose refusal it was begun.
        done: Set at its end.
    """

    variables: frozenset[str]
    began: float
    refused: Mapping[str, str]
    done: Future[None] = field(default_factory=Future)


class SecretStore:
    """The values of an environment's secrets by the name of their variable; for any thread and event loop.

    All variables are read together, by one call at a time whoever asks. A request waits for it only when nothing
    usable is in hand or nobody has asked for `ttl` seconds, which is how a session looks that was frozen.

    Args:
        prefix: What stands before the variable in the secret's name, such as `strandline/production/`.
        environment: Name of the environment, for the messages.
        client_factory: Makes the Secrets Manager client at the first read.
        clock: Seconds that only grow.
        policy: How old a value may get.
        chance: A number from 0 to 1, which spreads the refreshes of many processes.
    """

    def __init__(
        self,
        *,
        prefix: str,
        environment: str,
        client_factory: Callable[[], Any],
        clock: Callable[[], float] | None = None,
        policy: CachePolicy | None = None,
        chance: Callable[[], float] | None = None,
    ) -> None:
        self._reader = SecretReader(prefix=prefix, environment=environment, client_factory=client_factory)
        self._clock = clock or ElapsedClock()
        self._policy = policy or CachePolicy()
        self._chance = chance or _chance
        # Held for a few steps and never while waiting for an answer.
        self._lock = threading.Lock()
        self._variables: set[str] = set()
        self._required: set[str] = set()
        self._known: dict[str, _Known] = {}
        self._reading: _Reading | None = None
        self._began = 0.0
        self._refresh_at = 0.0
        self._failures = 0

    def name_of(self, variable: str) -> str:
        """The name in Secrets Manager of a variable's secret."""
        return self._reader.name_of(variable)

    def register(self, variables: Iterable[str], optional: Iterable[str] = ()) -> None:
        """Names variables that requests will ask for, so that one call reads all of the agent's; reads nothing."""
        required = set(variables)
        with self._lock:
            self._required |= required
            self._variables |= required | set(optional)

    async def get_all(self, variables: Iterable[str], optional: Iterable[str] = ()) -> dict[str, SecretValue]:
        """Gives the current values of variables' secrets.

        Args:
            variables: Names of the variables.
            optional: Names of more variables; those whose secret has no value are left out.

        Returns:
            The values by variable, all as of one moment.

        Raises:
            SecretError: A value cannot be read, or cannot be a key, and none in hand may stand in for it.
        """
        required = dict.fromkeys(variables)
        others = [variable for variable in dict.fromkeys(optional) if variable not in required]
        self.register(required, others)
        await self._settle(required, others)
        with self._lock:
            now = self._clock()
            values = {variable: self._usable(variable, now) for variable in required}
            return values | {
                variable: self._usable(variable, now)
                for variable in others
                if variable not in self._known or not self._known[variable].absent
            }

    async def get_registered(self) -> dict[str, SecretValue]:
        """Gives the current values of all registered variables; raises as `get_all` does."""
        with self._lock:
            required = sorted(self._required)
            optional = sorted(self._variables - self._required)
        return await self.get_all(required, optional)

    async def reread(self, refused: Mapping[str, str]) -> None:
        """Reads again after a provider refused a key; what is in hand stays until there is a newer version.

        All who are refused the same version share one read, and while it stays the newest one it is read again for
        that only after a pause, which grows.

        Args:
            refused: Versions by variable, as they were sent.
        """
        while refused:
            with self._lock:
                reading = self._rereading(refused)
            if reading is None or not await _within(reading.done, self._policy.deadline):
                return
            if refused.items() <= reading.refused.items():
                return

    def versions(self) -> dict[str, str]:
        """Tells which version of each secret is in use, by variable; never a value, nothing before the first read."""
        with self._lock:
            return {name: known.value.version_id for name, known in sorted(self._known.items()) if known.value}

    def ages(self) -> dict[str, float]:
        """Tells how many seconds ago Secrets Manager last gave each value that is in use, by variable."""
        with self._lock:
            in_use = {name: known.confirmed for name, known in sorted(self._known.items()) if known.value}
        now = self._clock() if in_use else 0.0
        return {name: now - confirmed for name, confirmed in in_use.items()}

    async def _settle(self, required: Iterable[str], optional: Iterable[str]) -> None:
        """Sees that the variables are read if they must be; begins a refresh in the background when it is time."""
        unsettled = dict.fromkeys(required, False) | dict.fromkeys(optional, True)
        while True:
            # Looked at and begun in one step: a read that ends between the two would be made twice.
            with self._lock:
                now = self._clock()
                seconds = max(
                    (self._wait(name, now, may_be_absent=may) for name, may in unsettled.items()), default=0.0
                )
                if not seconds:
                    self._refresh_if_due(now)
                    return
                reading = self._reading or self._begin({})
            if not await _within(reading.done, seconds):
                return
            if self._clock() - reading.began < self._policy.ttl:
                # Else it slept with the session, and tells what was so before.
                unsettled = {name: may for name, may in unsettled.items() if name not in reading.variables}

    def _refresh_if_due(self, now: float) -> None:
        if self._known and now >= self._refresh_at and self._reading is None:
            # Nobody waits for it, so nobody fails for want of a thread either.
            with suppress(RuntimeError):
                self._begin({})

    def _wait(self, variable: str, now: float, *, may_be_absent: bool) -> float:
        """How long a request may wait for a read of this variable; not at all if what is in hand will do."""
        known = self._known.get(variable)
        if known is None or (known.value is None and not (may_be_absent and known.absent)):
            return self._policy.deadline
        if known.value is not None and now - known.confirmed >= self._policy.bound(known.fault):
            return self._policy.deadline
        is_refused = (
            known.value is not None
            and self._reading is not None
            and self._reading.refused.get(variable) == known.value.version_id
        )
        # A try that failed counts: in an outage one request waits, and not all of them.
        return self._policy.patience if is_refused or now - self._began >= self._policy.ttl else 0.0

    def _usable(self, variable: str, now: float) -> SecretValue:
        known = self._known.get(variable)
        if known and known.value and now - known.confirmed < self._policy.bound(known.fault):
            return known.value
        if known and known.fault:
            raise known.fault.error()
        raise SecretError(
            f"Secret {self.name_of(variable)} cannot be read: "
            f"Secrets Manager has not answered within {self._policy.deadline:g} seconds."
        )

    def _rereading(self, refused: Mapping[str, str]) -> _Reading | None:
        """The read to wait for after a refusal, if any."""
        now = self._clock()
        known = {variable: self._known.setdefault(variable, _Known()) for variable in refused}
        if any(one.value is None or one.value.version_id != refused[variable] for variable, one in known.items()):
            return None
        if self._reading is not None:
            # One that began before the refusal may bring what the provider has just refused: another one follows it.
            return self._reading
        if all(one.refused == refused[variable] and now < one.ask_again for variable, one in known.items()):
            return None
        for variable, one in known.items():
            one.refusals = one.refusals + 1 if one.refused == refused[variable] else 1
            one.refused = refused[variable]
            one.ask_again = now + self._pause(one.refusals)
        return self._begin(dict(refused))

    def _begin(self, refused: Mapping[str, str]) -> _Reading:
        self._began = self._clock()
        reading = _Reading(frozenset(self._variables), self._began, refused)
        # So that no waiter who is cancelled cancels it.
        reading.done.set_running_or_notify_cancel()
        # A daemon: a process that is told to end does not wait for Secrets Manager.
        threading.Thread(target=self._read, args=(reading,), name="secrets", daemon=True).start()
        self._reading = reading
        return reading

    def _read(self, reading: _Reading) -> None:
        try:
            found = self._reader.read(sorted(reading.variables))
            with self._lock:
                now = self._clock()
                for variable, outcome in found.items():
                    self._note(self._known.setdefault(variable, _Known()), outcome, reading.began, now)
                self._schedule(reading, found, now)
            _report(found, now, self._known)
        finally:
            with self._lock:
                self._reading = None
            reading.done.set_result(None)

    def _note(self, known: _Known, outcome: SecretValue | SecretFault, began: float, now: float) -> None:
        if isinstance(outcome, SecretValue):
            known.value, known.confirmed, known.fault, known.absent = outcome, began, None, False
            return
        known.fault = outcome
        known.absent = known.absent or outcome.means_absent
        if known.value is not None and now - known.confirmed >= self._policy.bound(outcome):
            # It will serve no more, so it is not kept either.
            known.value = None

    def _schedule(self, reading: _Reading, found: Mapping[str, SecretValue | SecretFault], now: float) -> None:
        # Where nothing is in hand each request asks by itself.
        if any(isinstance(one, SecretFault) and self._known[variable].value for variable, one in found.items()):
            self._failures += 1
            self._refresh_at = now + self._pause(self._failures)
        else:
            self._failures = 0
            self._refresh_at = reading.began + self._policy.ttl * (_REFRESH_FROM + _REFRESH_SPREAD * self._chance())

    def _pause(self, times: int) -> float:
        return float(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(times - 1, 10)) * (0.5 + 0.5 * self._chance()))


def _report(found: Mapping[str, SecretValue | SecretFault], now: float, known: Mapping[str, _Known]) -> None:
    """Tells the metrics and the log how a read went."""
    faults = {variable: one for variable, one in found.items() if isinstance(one, SecretFault)}
    metrics.count("SecretRefreshes")
    if any(known[variable].value or not fault.means_absent for variable, fault in faults.items()):
        metrics.count("SecretRefreshFailures")
    for variable, fault in faults.items():
        value, age = known[variable].value, now - known[variable].confirmed
        if value is not None:
            metrics.record("SecretAge", age, "Seconds")
            logger.warning(
                "variable=<%s>, cause=<%s>, version=<%s>, age_seconds=<%d> | the last good value is kept: %s",
                variable,
                fault.cause.name.lower(),
                value.version_id,
                age,
                fault.message,
            )


async def _within(done: Future[None], seconds: float) -> bool:
    """Waits for a read; who gives up, or is cancelled, leaves it to the others."""
    try:
        await asyncio.wait_for(asyncio.wrap_future(done), seconds)
    except TimeoutError:
        return False
    return True


def _chance() -> float:
    # Not by `random`, whose state the snapshot holds: all sessions would refresh at one time.
    return int.from_bytes(os.urandom(4)) / 2**32
