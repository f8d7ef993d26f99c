"""One promotion: what an environment runs, shown to be what it says, becomes what the next one deploys."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import InputError
from stacks.releases.lock import PinnedBundle, RecordedChecks, ReleasedAgent, ReleasedGateway, ReleaseLock
from stacks.releases.project import gateway_facts, project_of_lock, released_project
from stacks.releases.store import PendingReleases, ReleaseFolder
from strandline.callers import caller, moment
from strandline.canaries import require_no_canary
from strandline.checks.results import read_results
from strandline.releases.bucket import PublishedLock, ReleaseBucket
from strandline.releases.candidates import origin_in_lock, origin_in_tree
from strandline.releases.changes import read_deployed
from strandline.releases.entries import begun_before, is_same
from strandline.releases.running import read_running, release_of, require_deployed
from strandline.s3_objects import read_object
from strandline.targets import CALLS_AT_ONCE

if TYPE_CHECKING:
    from stacks.environments import Environment
    from stacks.project import Project
    from strandline.checks.results import CheckResult
    from strandline.endpoints import Version
    from strandline.releases.candidates import Origin
    from strandline.targets import Target


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asks for.

    Attributes:
        agents: Ids; all that may go where none is named.
        with_gateway: Whether the gateway goes along, also where the agents are named.
        reason: Why a rule may be passed over.
    """

    agents: Sequence[str] = ()
    with_gateway: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A promotion that may go on.

    Attributes:
        lock: What the destination would deploy.
        before: What its lock says now.
        published: What its bucket says now.
        folder: The releases, with the bundles that come in.
        running: What the source runs, by agent.
        origins: What was asked for as the source has it, by agent.
        project: What the destination would deploy.
        forced: Rules that were passed over.
    """

    lock: ReleaseLock
    before: ReleaseLock
    published: PublishedLock
    folder: PendingReleases
    running: Mapping[str, Version]
    origins: Mapping[str, Origin]
    project: Project
    forced: Sequence[str] = field(default=())

    @property
    def moved(self) -> list[str]:
        """Ids of the agents that were asked for."""
        return list(self.origins)


class Promotion:
    """Looks at both environments and makes the lock; changes nothing.

    Args:
        source: Where it comes from.
        destination: Where it goes to.
        environments: All environments of the project, in their order.
        tree: The working tree.
        folder: The project's releases.
    """

    def __init__(
        self,
        source: Target,
        destination: Target,
        *,
        environments: Sequence[Environment],
        tree: Project,
        folder: ReleaseFolder,
    ) -> None:
        self._source, self._destination = source, destination
        self._environments = environments
        self._tree = tree
        self._folder = PendingReleases(folder.path)
        self._objects = source.client("s3")
        self._here, self._there = source.environment, destination.environment
        self._deployed = released_project(tree, self._here, self._folder)

    def prepare(self, request: Request, forced: Sequence[str] = ()) -> Prepared:
        """Makes the lock of the destination.

        Args:
            request: What is asked for.
            forced: Rules that were passed over already.

        Returns:
            What would be deployed.

        Raises:
            InputError: The source does not run what it says, or the release may not go there; says what differs.
            EnvironmentFault: AWS refuses.
        """
        passed_over = list(forced)
        bucket = ReleaseBucket(self._destination)
        before, published = self._current(bucket)
        origins = self._origins(request.agents)
        running = self._proven(origins)
        self._require_gateway()
        stamp = self._stamp()
        agents = {}
        results = read_results(self._source, {origin.agent: origin.bundle for origin in origins if origin.has_checks})
        for origin in origins:
            checks = self._checks_of(origin, results.get(origin.agent), request.reason, passed_over)
            entry = self._entry(origin, running[origin.agent], checks, stamp)
            agents[origin.agent] = entry
        reason = request.reason if passed_over else None
        agents = {name: entry.model_copy(update={"forced": reason}) for name, entry in agents.items()}
        changed = {name: entry for name, entry in agents.items() if not is_same(entry, before.agents.get(name))}
        lock = before.with_entries(changed)
        if request.with_gateway or not request.agents or lock.gateway is None:
            gateway = self._gateway(lock, stamp)
            lock = lock.with_entries({}, gateway if not is_same(gateway, lock.gateway) else None)
        if published.lock and published.lock != before:
            lock = begun_before(self._folder, lock, published.lock)
        # Whether the gateway serves the models, and whatever else synth would refuse.
        project = project_of_lock(self._tree, self._there, self._folder, lock)
        project.agents_of(self._there)
        by_agent = {origin.agent: origin for origin in origins}
        return Prepared(lock, before, published, self._folder, running, by_agent, project, passed_over)

    def _current(self, bucket: ReleaseBucket) -> tuple[ReleaseLock, PublishedLock]:
        file = self._folder.lock(self._there.name)
        return file or ReleaseLock(environment=self._there.name), bucket.published()

    def _origins(self, asked: Sequence[str]) -> list[Origin]:
        known = {
            agent.blueprint.id: agent
            for agent in self._deployed.agents
            if agent.blueprint.allows(self._here.execution_mode)
        }
        if unknown := sorted(set(asked) - set(known)):
            raise InputError(
                f"{self._here.name} has no agent {', '.join(unknown)}; it has {', '.join(known) or 'none'}."
            )
        if self._here.is_locked:
            return self._origins_in_lock(asked)
        # An agent that nobody has asked for by name stays where it may not go.
        mode = self._there.execution_mode
        chosen = [known[name] for name in asked or known if asked or known[name].blueprint.allows(mode)]
        names = [environment.name for environment in self._environments]
        later = self._environments[names.index(self._there.name) + 1 :]
        origins = [origin_in_tree(agent, self._here, self._there, later) for agent in chosen]
        for origin in origins:
            for content in origin.contents:
                self._folder.add(content, "json")
        return self._some(origins)

    def _origins_in_lock(self, asked: Sequence[str]) -> list[Origin]:
        lock = self._folder.lock(self._here.name)
        entries = lock.agents if lock else {}
        agents = {agent.blueprint.id: agent for agent in self._deployed.agents}
        names = asked or [name for name, entry in entries.items() if self._there.name in entry.onward]
        return self._some(
            [
                origin_in_lock(agents[name], entries[name], self._folder, self._here.name, self._there.name)
                for name in names
            ]
        )

    def _some(self, origins: list[Origin]) -> list[Origin]:
        if not origins:
            raise InputError(
                f"Nothing of {self._here.name} may go to {self._there.name}: execution_modes."
                f"{self._there.execution_mode} is true in no blueprint that {self._here.name} runs."
            )
        return origins

    def _proven(self, origins: Sequence[Origin]) -> dict[str, Version]:
        """What the source runs, after making sure that it is what the source says: hashes, bytes and drift."""
        names = [origin.agent for origin in origins]
        require_no_canary(self._source, names)
        running = read_running(self._source, names)
        templates = read_deployed(self._source, [self._source.agent_stack_name(name) for name in names])
        for origin in origins:
            template = templates.get(self._source.agent_stack_name(origin.agent))
            release = release_of(template) if template else None
            if origin.agent not in running or release is None:
                raise InputError(
                    f"{origin.agent} is not deployed in {self._here.name}: `strandline deploy --env {self._here.name}`."
                )
            found = running[origin.agent]
            require_deployed(self._source, found, release)
            self._require_release(origin, found)
        with ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
            list(pool.map(self._require_bytes, origins, [running[name] for name in names]))
        return running

    def _require_gateway(self) -> None:
        settings = self._deployed.gateway
        if settings is None:
            return
        own = self._folder.lock(self._here.name) if self._here.is_locked else None
        agents = self._deployed.agents_of(self._here)
        facts = gateway_facts(settings, self._here, agents, self._deployed.scenarios)
        expected = own.gateway.configuration if own and own.gateway else facts.configuration
        stack = self._source.stack_name("Gateway")
        if expected not in json.dumps(read_deployed(self._source, [stack]).get(stack, {})):
            raise InputError(
                f"{self._here.name} does not run the gateway of {self._said}: {stack} has not the configuration "
                f"{expected}. Deploy it first: `strandline deploy --env {self._here.name}`."
            )

    @property
    def _said(self) -> str:
        return str(self._folder.lock_file(self._here.name)) if self._here.is_locked else "the working tree"

    def _require_release(self, origin: Origin, found: Version) -> None:
        for part, expected, runs in (
            ("bundle", origin.bundle, found.bundle),
            ("code artefact", origin.artefact or found.code, found.code),
        ):
            if expected != runs:
                raise InputError(
                    f"{self._here.name} does not run the {origin.agent} of {self._said}: the {part} there is {runs}, "
                    f"here {expected}. Deploy {self._here.name} first: `strandline deploy --env {self._here.name}`."
                )

    def _require_bytes(self, origin: Origin, found: Version) -> None:
        bucket, _, key = found.bundle_uri.removeprefix("s3://").partition("/")
        content = read_object(self._objects, bucket, key)
        if (sha256 := hashlib.sha256(content).hexdigest()) != found.bundle:
            raise InputError(
                f"{found.bundle_uri}, the bundle that {origin.agent} runs in {self._here.name}, was changed: the hash "
                f"of its bytes is {sha256}. Deploy {self._here.name} again, and find out who changed it."
            )

    def _checks_of(
        self, origin: Origin, result: CheckResult | None, reason: str | None, passed_over: list[str]
    ) -> RecordedChecks | None:
        if not origin.has_checks:
            return None
        name = self._here.name
        if result is not None:
            checks = RecordedChecks(passed=result.passed, at=result.at, cases=len(result.cases), digest=result.digest)
            if result.passed:
                return checks
        wrong = "did not pass" if result else "did not run on this bundle"
        rule = f"the checks of {origin.agent} {wrong} in {name}"
        if reason is None:
            raise InputError(
                f"{rule[0].upper()}{rule[1:]}: `strandline checks run {origin.agent} --env {name}`, or say --force "
                "--reason WHY."
            )
        passed_over.append(rule)
        return checks if result else None

    def _entry(
        self, origin: Origin, running: Version, checks: RecordedChecks | None, stamp: Mapping[str, str]
    ) -> ReleasedAgent:
        pinned = origin.onward[self._there.name]
        onward: dict[Any, PinnedBundle] = {
            name: further for name, further in origin.onward.items() if name != self._there.name
        }
        return ReleasedAgent.model_validate(
            {
                "version": origin.version,
                "artefact": running.code,
                "runtime": running.python,
                "bundle": pinned.bundle,
                "variables": pinned.variables,
                "onward": onward,
                "source_bundle": origin.bundle,
                "checks": checks,
                **stamp,
            }
        )

    def _gateway(self, lock: ReleaseLock, stamp: Mapping[str, str]) -> ReleasedGateway | None:
        if self._deployed.gateway is None or self._deployed.gateway_document is None:
            return None
        own = self._folder.lock(self._here.name) if self._here.is_locked else None
        if own and own.gateway:
            settings = own.gateway.settings
        else:
            settings = self._folder.add(_read(self._deployed.gateway_document.file), "yaml")
        agents = project_of_lock(
            self._tree, self._there, self._folder, lock.model_copy(update={"gateway": None})
        ).agents
        facts = gateway_facts(self._deployed.gateway, self._there, agents)
        return ReleasedGateway.model_validate(
            {"settings": settings, "configuration": facts.configuration, "image": facts.image, **stamp}
        )

    def _stamp(self) -> dict[str, str]:
        who = caller(self._destination)
        return {"promoted_from": self._here.name, "promoted_by": who, "promoted_at": moment()}


def _read(file: str) -> bytes:
    from pathlib import Path

    return Path(file).read_bytes()
