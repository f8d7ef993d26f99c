"""One rotation, from a new value to its use everywhere: a state machine whose only state are the staging labels.

    nothing staged            -> stage     the new value, as AWSPENDING
    staged, not current       -> verify    the new value opens what it is for
                              -> promote   it is AWSCURRENT, the old one AWSPREVIOUS
    staged and current        -> spread    new tasks of the gateway; agents read it within their cache's time
                              -> finish    the label AWSPENDING goes

So a run that is killed anywhere is gone on with by another one. Secrets that are checked together, as the two headers
of Cloudflare Access, rotate together.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_runtime.errors import EnvironmentFault, InputError
from stacks.names import GATEWAY
from strandline.rotation.uses import Use, uses_of
from strandline.rotation.verifiers import KeyRefused, verify
from strandline.rotation.versions import SecretVersions
from strandline.secret_values import check_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from stacks.custom_resources.secret_versions import Labels
    from stacks.project import Project
    from strandline.rotation.verifiers import Probe
    from strandline.targets import Target


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
        project: The user's files.
        variables: Names of the variables.
        record: Told each step, with the id of the version by variable.

    Raises:
        InputError: Nobody in the environment names one of the variables.
    """

    def __init__(
        self,
        target: Target,
        project: Project,
        variables: Sequence[str],
        record: Callable[[str, Mapping[str, str]], None],
    ) -> None:
        self._environment = target.environment
        self._record = record
        self._client = target.client("secretsmanager")
        self.uses = {variable: uses_of(project, target.environment, variable) for variable in variables}
        if unused := [variable for variable, uses in self.uses.items() if not uses]:
            raise InputError(
                f"Nobody in {target.environment.name} names {', '.join(unused)}: "
                "strandline secrets list shows what there is."
            )
        self._versions = {variable: SecretVersions(self._client, self._secret(variable)) for variable in variables}

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

    def stage(self, read_value: Callable[[str], str]) -> None:
        """Stages a new value for each variable that has none staged.

        Args:
            read_value: Gives the new value of a variable.

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

    def promote(self) -> None:
        """Makes the staged values the current ones."""
        pending = self._pending()
        for variable, version in pending.items():
            self._versions[variable].promote(version)
        self._record("promoted", pending)

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
                versions.discard(labels.pending)
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

    @property
    def can_roll_back(self) -> bool:
        """Whether each secret has a value before its present one."""
        return all(versions.labels().previous is not None for versions in self._versions.values())

    def _secret(self, variable: str) -> str:
        from stacks.names import secret_name

        return secret_name(self._environment, variable)

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
