"""From a request to a plan, and from the plan to what runs: the lock is written before anything is deployed by it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import StrandlineError
from stacks.environments import load_environments
from stacks.project import load_project
from stacks.releases.project import PinnedArtefact
from stacks.releases.store import ReleaseFolder
from strandline.canaries import running_canaries, summary
from strandline.deployed_stacks import list_stacks
from strandline.endpoints import Endpoints
from strandline.invocation import find_runtime
from strandline.releases.bucket import ReleaseBucket
from strandline.releases.candidates import require_order
from strandline.releases.changes import read_assembly, read_deployed
from strandline.releases.entries import is_same
from strandline.releases.lock import save_bundle, save_lock
from strandline.releases.plan import UNCHANGED, AgentMove, Plan, compare, overlay_differences
from strandline.releases.promotion import Promotion
from strandline.releases.running import read_running

if TYPE_CHECKING:
    from pathlib import Path

    from stacks.custom_resources.canary_routes import Route
    from stacks.releases.lock import ReleasedAgent
    from strandline.commands.deploy import Deployment
    from strandline.releases.promotion import Prepared, Request
    from strandline.targets import Target


class ReadBackError(StrandlineError):
    """Raised when an environment does not run what was deployed to it."""


class PromotionSession:
    """One promotion from plan to report.

    Args:
        source: Where it comes from.
        destination: Where it goes to.
        environments: `environments.yaml`.
        blueprints: The blueprints folder.
        deployment: Deploys the destination from the plan's own releases.
    """

    def __init__(
        self,
        source: Target,
        destination: Target,
        *,
        environments: Path,
        blueprints: Path,
        deployment: Deployment,
    ) -> None:
        self._source, self._destination = source, destination
        self._known = load_environments(environments)
        self._folder = ReleaseFolder.beside(environments.resolve())
        self._tree = load_project(blueprints)
        self._deployment = deployment
        self._users: Mapping[str, Sequence[str]] = {}

    def plan(self, request: Request, releases: Path, assembly: Path) -> Plan:
        """Looks at both environments, and at what CloudFormation would change; changes nothing.

        Args:
            request: What is asked for.
            releases: An empty folder for the releases as they would be.
            assembly: The folder that the deployment synthesises into.

        Returns:
            The plan.

        Raises:
            InputError: The release may not go there; says what is wrong.
            EnvironmentFault: AWS refuses.
            DeploymentError: Synth refuses.
        """
        here, there = self._source.environment, self._destination.environment
        forced = require_order(here, there, list(self._known), request.reason)
        promotion = Promotion(
            self._source,
            self._destination,
            environments=list(self._known.values()),
            tree=self._tree,
            folder=self._folder,
        )
        self._prepared = promotion.prepare(request, forced)
        self._write(ReleaseFolder(releases), lasting=False)
        self._users = self._prepared.project.secret_users(there)
        self._deployment.require_values(self._users, also_new=False)
        with ThreadPoolExecutor(1) as aside:
            deployed = aside.submit(read_deployed, self._destination)
            self._deployment.synthesise()
        resources, rights, cost, sessions = compare(deployed.result(), read_assembly(assembly), there.region)
        return Plan(
            source=here.name,
            destination=there.name,
            agents=[self._move(self._prepared, name) for name in self._prepared.moved],
            gateway=self._gateway_words(self._prepared),
            resources=resources,
            rights=rights,
            cost=cost,
            sessions=sessions,
            forced=self._prepared.forced,
            at_work=[
                name for name, stack in list_stacks(self._destination).items() if stack.status.endswith("_IN_PROGRESS")
            ],
        )

    def carry_out(self) -> Iterator[str]:
        """Deploys what was planned.

        Yields:
            What came of it, a line for each agent.

        Raises:
            InputError: Somebody promoted meanwhile, or bytes are not those of their hash.
            DeploymentError: CloudFormation refuses.
        """
        self._deployment.deploy(self._users, self._release)
        yield f"{self._folder.lock_file(self._destination.environment.name)} is written: commit the folder releases."
        yield from self._read_back()

    def _release(self) -> None:
        """Brings the artefacts, then the lock: to the bucket, where of two people one wins, and then to the folder."""
        self._deployment.require_values(self._users)
        prepared, bucket = self._prepared, ReleaseBucket(self._destination)
        for name in prepared.moved:
            entry = prepared.lock.agents[name]
            bucket.copy(self._source, prepared.running[name], PinnedArtefact(entry.artefact, entry.runtime))
        if prepared.published.lock != prepared.lock:
            bucket.publish(prepared.lock, prepared.published)
        self._write(self._folder)

    def _write(self, folder: ReleaseFolder, *, lasting: bool = True) -> None:
        prepared = self._prepared
        for name, entry in prepared.lock.agents.items():
            where = f"agents.{name}"
            for pinned in (entry, *entry.onward.values()):
                save_bundle(folder, prepared.folder.read(pinned.bundle, "json", where), "json", lasting=lasting)
        if prepared.lock.gateway:
            settings = prepared.lock.gateway.settings
            save_bundle(folder, prepared.folder.read(settings, "yaml", "gateway.settings"), "yaml", lasting=lasting)
        save_lock(folder, prepared.lock)

    def _move(self, prepared: Prepared, name: str) -> AgentMove:
        entry, before = prepared.lock.agents[name], prepared.before.agents.get(name)
        checks = entry.checks
        told = (
            "none"
            if checks is None
            else f"{'passed' if checks.passed else 'FAILED'}, {checks.cases} cases, {checks.at}"
        )
        return AgentMove(
            agent=name,
            version=entry.version,
            before=before.version if before else None,
            artefact=entry.artefact,
            bundle=entry.bundle,
            checks=told,
            overlay=tuple(self._overlay(prepared, name, entry)),
            changes=not is_same(entry, before),
        )

    def _overlay(self, prepared: Prepared, name: str, entry: ReleasedAgent) -> Iterator[str]:
        source = prepared.origins[name]
        here = _blueprint(prepared, source.bundle)
        there = _blueprint(prepared, entry.bundle)
        yield from overlay_differences(here, there)

    def _gateway_words(self, prepared: Prepared) -> str | None:
        gateway = prepared.lock.gateway
        if gateway is None:
            return None
        if is_same(gateway, prepared.before.gateway):
            return UNCHANGED
        return f"configuration {gateway.configuration[:12]}, image {gateway.image}"

    def _read_back(self) -> Iterator[str]:
        lock, moved = self._prepared.lock, self._prepared.moved
        name = self._destination.environment.name
        running = read_running(self._destination, moved)
        canaries = {route.agent: route for route in running_canaries(self._destination)}
        for agent in moved:
            entry, found = lock.agents[agent], running.get(agent)
            if route := canaries.get(agent):
                yield self._read_canary(entry, route)
                continue
            if found is None or (found.code, found.bundle) != (entry.artefact, entry.bundle):
                raise ReadBackError(
                    f"{agent} in {name} answers with {found.bundle if found else 'nothing'}, and "
                    f"{self._folder.lock_file(name)} says {entry.bundle}. After a rollback CloudFormation finds "
                    f"nothing to change: `strandline rollback {agent} --env {name} --to VERSION` moves `live` there."
                )
            yield f"{agent}: {name} answers with version {found.number}: bundle {found.bundle}, code {found.code}"

    def _read_canary(self, entry: ReleasedAgent, route: Route) -> str:
        """`live` gets it when its time is over; until then the lock names what the canary is."""
        name = self._destination.environment.name
        found = Endpoints(self._destination, find_runtime(self._destination, route.agent)).version(route.version)
        if (found.code, found.bundle) != (entry.artefact, entry.bundle):
            raise ReadBackError(
                f"The canary of {route.agent} in {name} is bundle {found.bundle}, and "
                f"{self._folder.lock_file(name)} says {entry.bundle}: see strandline canary {route.agent} --env {name}."
            )
        return f"{route.agent}: {name} gives version {route.version}, bundle {found.bundle}, {summary(route)}"


def _blueprint(prepared: Prepared, sha256: str) -> dict[str, Any]:
    content = prepared.folder.read(sha256, "json", "the plan")
    blueprint: dict[str, Any] = json.loads(content)["blueprint"]
    return blueprint
