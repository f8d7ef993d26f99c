"""The release lock: `releases/<environment>.yaml`, which names by hash all that an environment deploys.

    agents:
      hello:
        version: "1.0.0"
        artefact: "5f0c..."            the code, in the release bucket
        bundle: "91ab..."              blueprint and prompt, releases/bundles/91ab....json
        promoted_from: "simulation"
        checks: {passed: true, ...}
        digest: "3c77..."              of all the above

`strandline promote` writes it and nobody else: a file that differs from what was written by one byte is refused, with
the line that differs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

import yaml
from pydantic import Field, StringConstraints

from agent_runtime.blueprint import EnvironmentName
from agent_runtime.errors import InputError, Problem
from agent_runtime.strict import Fault, Rules, StrictModel
from agent_runtime.validation import validate
from agent_runtime.yaml_reader import parse_yaml
from stacks.names import GATEWAY

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 1
_TIMES_LARGER = 64
"""A thousand agents are half a megabyte."""

Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Moment = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
RuntimeName = Annotated[str, StringConstraints(pattern=r"^PYTHON_3_\d{1,2}$")]
_MEND = "restore it from version control, or promote again"


class RecordedChecks(StrictModel):
    """What the checks of a release said where it came from."""

    passed: bool = Field(description="Whether they passed.")
    at: str = Field(min_length=1, max_length=64, description="When they ran.")
    cases: int = Field(ge=0, description="How many cases there were.")
    digest: Hash = Field(description="SHA-256 of the whole record.")


class PinnedBundle(StrictModel):
    """An agent as one environment sees it."""

    bundle: Hash = Field(description="SHA-256 of the bundle.")
    variables: Mapping[str, str] = Field(default_factory=dict, description="Variables of the runtime; never secrets.")


class _Promoted(StrictModel):
    """Who, when, from where; and the digest that holds the entry together."""

    promoted_from: EnvironmentName = Field(description="Environment that ran it.")
    promoted_by: str = Field(min_length=1, max_length=512, description="Who promoted it.")
    promoted_at: Moment = Field(description="When.")
    forced: str | None = Field(default=None, min_length=1, max_length=500, description="Why a rule was passed over.")
    digest: str = Field(default="", description="SHA-256 of the entry, its name and the environment.")


EntryT = TypeVar("EntryT", bound=StrictModel)


class ReleasedAgent(_Promoted, PinnedBundle):
    """One agent's release."""

    version: str = Field(description="Version in the blueprint.")
    artefact: Hash = Field(description="SHA-256 of the code artefact.")
    runtime: RuntimeName = Field(description="AgentCore's name of the artefact's Python.")
    onward: Mapping[EnvironmentName, PinnedBundle] = Field(
        default_factory=dict, description="The same release as later environments see it: their overlays, variables."
    )
    source_bundle: Hash | None = Field(default=None, description="SHA-256 of its bundle where it was promoted from.")
    checks: RecordedChecks | None = Field(default=None, description="What its checks said; none where it has none.")


class ReleasedGateway(_Promoted):
    """The gateway's release."""

    settings: Hash = Field(description="SHA-256 of gateway.yaml, kept in releases/bundles.")
    configuration: Hash = Field(description="SHA-256 of the gateway bundle: what LiteLLM and our code run on.")
    image: str = Field(min_length=1, description="The container image.")


class Removal(StrictModel):
    """That an agent was taken out of the environment."""

    removed_by: str = Field(min_length=1, max_length=512, description="Who did it.")
    removed_at: Moment = Field(description="When.")
    reason: str | None = Field(default=None, min_length=1, max_length=500, description="Why.")
    digest: str = Field(default="", description="SHA-256 of the entry, its name and the environment.")


def _check_digests(lock: ReleaseLock) -> Iterator[Fault]:
    for part, entries in (("agents", lock.agents), ("removed", lock.removed)):
        for agent, entry in entries.items():
            if entry.digest != lock.digest_of(agent, entry):
                yield Fault(f"is not what was promoted of {agent}: its digest differs", _MEND, (part, agent, "digest"))
    if lock.gateway and lock.gateway.digest != lock.digest_of(GATEWAY, lock.gateway):
        yield Fault("is not what was promoted of the gateway: its digest differs", _MEND, ("gateway", "digest"))


class ReleaseLock(StrictModel):
    """The whole file. Entries that are put in with `with_entries` have their digests."""

    RULES: ClassVar[Rules] = (_check_digests,)

    format: int = Field(default=FORMAT, ge=FORMAT, le=FORMAT, description="Of the file.")
    environment: EnvironmentName = Field(description="The environment that deploys it.")
    agents: Mapping[str, ReleasedAgent] = Field(default_factory=dict, description="Releases by the agent's id.")
    gateway: ReleasedGateway | None = Field(default=None, description="The gateway's release.")
    removed: Mapping[str, Removal] = Field(default_factory=dict, description="Agents that were taken out.")

    def digest_of(self, name: str, entry: StrictModel) -> str:
        """The digest that an entry of this environment must have."""
        document = {"environment": self.environment, "name": name, "entry": _plain(entry) | {"digest": ""}}
        return hashlib.sha256(canonical(document)).hexdigest()

    def with_entries(self, agents: Mapping[str, ReleasedAgent], gateway: ReleasedGateway | None = None) -> ReleaseLock:
        """The lock with other releases, sorted by the agent's id.

        Args:
            agents: Releases to put in or to replace.
            gateway: The gateway's release; it stays where none is given.

        Returns:
            The new lock, with the digests of what came in.
        """
        merged = {**self.agents, **{name: self._sealed(name, entry) for name, entry in agents.items()}}
        through = self._sealed(GATEWAY, gateway) if gateway else self.gateway
        removed = {name: removal for name, removal in self.removed.items() if name not in merged}
        return self.model_copy(update={"agents": dict(sorted(merged.items())), "gateway": through, "removed": removed})

    def without(self, agent: str, removal: Removal) -> ReleaseLock:
        """The lock without an agent.

        Args:
            agent: Its id.
            removal: Who took it out, when and why.

        Returns:
            The new lock, which says so.
        """
        agents = {name: entry for name, entry in self.agents.items() if name != agent}
        removed = {**self.removed, agent: self._sealed(agent, removal)}
        return self.model_copy(update={"agents": agents, "removed": dict(sorted(removed.items()))})

    def _sealed(self, name: str, entry: EntryT) -> EntryT:
        return entry.model_copy(update={"digest": self.digest_of(name, entry)})


def render_lock(lock: ReleaseLock) -> str:
    """Write a lock; the same lock gives the same text.

    Args:
        lock: The lock.

    Returns:
        The text of the file.
    """
    header = f"# What {lock.environment} deploys. Written by `strandline promote`; a change by hand is refused.\n"
    return header + yaml.dump(
        _quoted(_plain(lock)), Dumper=_Dumper, sort_keys=False, default_flow_style=False, width=2**20
    )


def parse_lock(content: bytes, file: str) -> ReleaseLock:
    """Read a lock from its bytes.

    Args:
        content: The bytes.
        file: Path of the file as the user names it.

    Returns:
        The lock.

    Raises:
        InputError: It is no lock, or not one that `strandline promote` wrote: names the line that differs.
    """
    lock = validate(ReleaseLock, parse_yaml(content, file, times=_TIMES_LARGER))
    written = render_lock(lock).encode()
    if content != written:
        # Bytes and not lines: a line end of another kind is a difference too.
        pairs = zip(content.split(b"\n"), written.split(b"\n"), strict=False)
        line = next((number for number, (one, other) in enumerate(pairs, 1) if one != other), 1)
        raise InputError(Problem(file, line, 1, "", "this line is not as `strandline promote` wrote it", _MEND))
    return lock


def load_lock(path: Path) -> ReleaseLock | None:
    """Read a lock.

    Args:
        path: `releases/<environment>.yaml`.

    Returns:
        The lock; none where nothing was promoted yet.

    Raises:
        InputError: As for `parse_lock`; or the file is another environment's.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(Problem(str(path), 1, 1, "", f"cannot be read: {error.strerror}", _MEND)) from None
    lock = parse_lock(content, str(path))
    if lock.environment != path.stem:
        raise InputError(Problem(str(path), 1, 1, "environment", f"is the lock of {lock.environment}", _MEND))
    return lock


def canonical(document: Any) -> bytes:
    """The bytes that digests are of."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _plain(model: StrictModel) -> dict[str, Any]:
    plain: dict[str, Any] = model.model_dump(mode="json", exclude_none=True)
    return plain


class _Text(str):
    """A value in quotes: a hash of digits only is no number."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(_Text, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


_LAST = ("promoted_from", "source_bundle", "promoted_by", "promoted_at", "checks", "forced", "digest")
"""What is said of a release stands below what is released."""


def _quoted(value: Any) -> Any:
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: _LAST.index(key) if key in _LAST else -1)
        return {key: _quoted(value[key]) for key in keys if value[key] != {}}
    return _Text(value) if isinstance(value, str) else value
