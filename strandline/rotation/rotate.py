"""One rotation, from a new value to its use everywhere: a state machine whose only state are the staging labels.

    nothing staged            -> stage     the new value, as AWSPENDING
    staged, not current       -> verify    the new value opens what it is for
                              -> promote   it is AWSCURRENT, the old one AWSPREVIOUS
    staged and current        -> spread    new tasks of the gateway; agents read it within their cache's time
                              -> retire    what we have made ourselves is ended by us
                              -> finish    the label AWSPENDING goes

So a run that is killed anywhere is gone on with by another one. Secrets that are checked together, as the two headers
of Cloudflare Access, rotate together. Here is what people type; what we make ourselves: `own_keys.py`, `agent_keys.py`.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_runtime.errors import EnvironmentFault, InputError
from stacks.names import GATEWAY, secret_name
from strandline.rotation.verifiers import KeyRefused, page_of, verify
from strandline.rotation.versions import SecretVersions
from strandline.secret_values import check_value

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping, Sequence

    from stacks.custom_resources.secret_versions import Labels
    from strandline.rotation.uses import Use
    from strandline.rotation.verifiers import Probe
    from strandline.targets import Target

    Record = Callable[[str, Mapping[str, str]], None]
    Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a rotation is.

    Attributes:
        step: The next step: stage, verify or spread.
        labels: The labels of each variable's secret.
    """

    step: str
    labels: Mapping[str, Labels]


class Rotation:
    """A rotation of secrets that change together.

    Args:
        target: The environment.
        uses: Who uses each variable's secret, and for what.
        record: Told each step, with the id of the version by variable.

    Attributes:
        uses: The same.
        is_made_here: Whether nobody is asked for the new value.
    """

    is_made_here = False

    def __init__(self, target: Target, uses: Mapping[str, Sequence[Use]], record: Record) -> None:
        self._target = target
        self._record = record
        self._client = target.client("secretsmanager")
        self.uses = uses
        self._versions = {variable: SecretVersions(self._client, self._secret(variable)) for variable in uses}

    @property
    def reaches_gateway(self) -> bool:
        """Whether the gateway holds one of the values, and has to start new tasks."""
        return any(use.by == GATEWAY for uses in self.uses.values() for use in uses)

    @property
    def agents(self) -> tuple[str, ...]:
        """Ids of the agents that read the values themselves."""
        return tuple(sorted({use.by for uses in self.uses.values() for use in uses} - {GATEWAY}))

    @property
    def unverifiable(self) -> tuple[str, ...]:
        """The variables of which nothing here can tell whether a value works."""
        return tuple(variable for variable, uses in self.uses.items() if not any(use.probe for use in uses))

    @property
    def can_roll_back(self) -> bool:
        """Whether each secret has a value before its present one."""
        return all(versions.labels().previous is not None for versions in self._versions.values())

    def changed_at(self) -> dt.datetime:
        """When one of the secrets was changed last: who began to read after that has the present values."""
        return max(versions.changed_at() for versions in self._versions.values())

    def look(self) -> Stage:
        """Finds out how far it is.

        Returns:
            Where it is.
        """
        labels = {variable: versions.labels() for variable, versions in self._versions.items()}
        if any(one.pending is None for one in labels.values()):
            # Of several that rotate together one may have ended: the rest is ended too.
            left = [one for one in labels.values() if one.pending is not None]
            return Stage("spread" if left and all(one.pending == one.current for one in left) else "stage", labels)
        return Stage("spread" if all(one.pending == one.current for one in labels.values()) else "verify", labels)

    def stage(self, read_value: Callable[[str], str], progress: Progress = lambda _: None) -> None:
        """Stages a new value for each variable that has none staged.

        Args:
            read_value: Gives the new value of a variable.
            progress: Told what is waited for.

        Raises:
            InputError: A value cannot be one, or is the present one; nothing is staged then.
        """
        labels = self.look().labels
        missing = [variable for variable, one in labels.items() if one.pending is None]
        values = {variable: check_value(variable, read_value(variable)) for variable in missing}
        for variable, value in values.items():
            current = labels[variable].current
            if current is not None and self._versions[variable].read(current) == value:
                raise InputError(f"The new value of {variable} is the present one: nothing was changed.")
        staged = {
            variable: self._versions[variable].stage(value, str(uuid.uuid4())) for variable, value in values.items()
        }
        self._record("staged", staged)

    def verify(self) -> None:
        """Asks what the staged values are for whether they open it; takes them back where they do not.

        Raises:
            KeyRefused: One of them does not; nothing has changed.
            EnvironmentFault: It cannot be told now; they stay staged.
        """
        pending = self._pending()
        try:
            for use, probe in self._questions():
                self._ask(use, probe, pending)
        except KeyRefused:
            self.abandon()
            raise
        self._record("verified", pending)

    def promote(self, grace_seconds: int | None = None) -> None:
        """Makes the staged values the current ones.

        Args:
            grace_seconds: How long the values before work on, where that is ours to say.
        """
        del grace_seconds
        pending = self._pending()
        for variable, version in pending.items():
            self._versions[variable].promote(version)
        self._record("promoted", pending)

    def retire(self, progress: Progress) -> None:
        """Ends the values before, where that is ours to do: here it is not.

        Args:
            progress: Told what is waited for.
        """

    def reminders(self) -> list[str]:
        """What is left to do for a person: the page on which each provider lets its keys be deleted."""
        pages = {page_of(probe) for _, probe in self._questions()}
        return [f"Delete the old key at its provider: {page}" for page in sorted(pages)]

    def finish(self) -> None:
        """Ends the rotation: nothing is staged any more."""
        done = {}
        for variable, versions in self._versions.items():
            if pending := versions.labels().pending:
                versions.discard(pending)
                done[variable] = pending
        self._record("finished", done)

    def abandon(self) -> None:
        """Takes back what is staged and not current."""
        taken = {}
        for variable, versions in self._versions.items():
            labels = versions.labels()
            if labels.pending is not None and labels.pending != labels.current:
                self._take_back(versions, labels.pending)
                taken[variable] = labels.pending
        self._record("abandoned", taken)

    def roll_back(self) -> None:
        """Makes the values before the current ones current again.

        Raises:
            InputError: A secret has none; no other was changed.
        """
        labels = {variable: versions.labels() for variable, versions in self._versions.items()}
        if first := [variable for variable, one in labels.items() if one.previous is None]:
            raise InputError(f"There is no value before the present one of {', '.join(first)}: nothing was changed.")
        for variable, one in labels.items():
            if one.current is not None:
                self._versions[variable].roll_back(one.current)
        self._record("rolled back", {variable: one.previous for variable, one in labels.items() if one.previous})

    def _take_back(self, versions: SecretVersions, pending: str) -> None:
        versions.discard(pending)

    def _secret(self, variable: str) -> str:
        return secret_name(self._target.environment, variable)

    def _pending(self) -> dict[str, str]:
        found = {variable: versions.labels().pending for variable, versions in self._versions.items()}
        if missing := [variable for variable, version in found.items() if version is None]:
            raise EnvironmentFault(f"Nothing is staged for {', '.join(missing)}: somebody else ended the rotation.")
        return {variable: version for variable, version in found.items() if version is not None}

    def _questions(self) -> list[tuple[Use, Probe]]:
        """The distinct questions: two users of one address ask for the same list, whatever their models are."""
        every = [(use, use.probe) for uses in self.uses.values() for use in uses if use.probe is not None]
        return list(
            {
                (probe.provider, probe.url, probe.key_header, use.key, use.headers): (use, probe)
                for use, probe in reversed(every)
            }.values()
        )

    def _ask(self, use: Use, probe: Probe, pending: Mapping[str, str]) -> None:
        values = {variable: self._value(variable, pending.get(variable)) for variable in use.variables}
        rotated = ", ".join(self._secret(variable) for variable in sorted(use.variables & set(pending)))
        headers = {header: values[variable] for header, variable in use.headers}
        verify(probe, rotated, values[use.key] if use.key else None, extra_headers=headers)

    def _value(self, variable: str, version: str | None) -> str:
        """The staged value, or the current one of what the question needs beside it."""
        versions = self._versions.get(variable) or SecretVersions(self._client, self._secret(variable))
        version = version or versions.labels().current
        if version is None:
            raise InputError(f"{versions.secret} has no value, and is asked for together with what is rotated.")
        return versions.read(version)
