"""The plan of a promotion: what would change, before anything does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from stacks.names import CANARY_TYPE
from strandline.pricing import Bill, Prices, UnknownCost
from strandline.releases.changes import find_changes
from strandline.releases.rights import find_right_changes

if TYPE_CHECKING:
    from strandline.releases.changes import ResourceChange, Template, Templates

_RUNTIME = "AWS::BedrockAgentCore::Runtime"
_TASK = "AWS::ECS::TaskDefinition"


@dataclass(frozen=True, slots=True)
class AgentMove:
    """One agent of a promotion.

    Attributes:
        agent: Its id.
        version: Version in the blueprint.
        before: What the destination has: version, artefact, bundle; none where it has none.
        artefact: SHA-256 of the code artefact.
        bundle: SHA-256 of the bundle there.
        checks: What its checks said.
        overlay: Where the agent differs there from where it comes from.
        changes: Whether anything does.
    """

    agent: str
    version: str
    before: str | None
    artefact: str
    bundle: str
    checks: str
    overlay: tuple[str, ...]
    changes: bool


@dataclass(frozen=True, slots=True)
class Cost:
    """An idle month in US dollars.

    Attributes:
        before: What is deployed.
        after: What would be.
        note: Why there is no figure.
    """

    before: float | None
    after: float | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a promotion would do.

    Attributes:
        source: Name of the environment that it comes from.
        destination: Name of the environment that it goes to.
        agents: The agents.
        gateway: What becomes of the gateway's release; none where there is none.
        resources: What changes in CloudFormation.
        rights: What changes in IAM, in words.
        cost: What that costs.
        sessions: What happens to running sessions.
        forced: Rules that were passed over, and why.
        at_work: Stacks that CloudFormation is still at work on, from a deployment that was cut off or is somebody's.
    """

    source: str
    destination: str
    agents: Sequence[AgentMove]
    gateway: str | None
    resources: Sequence[ResourceChange]
    rights: Sequence[str]
    cost: Cost
    sessions: Sequence[str]
    forced: Sequence[str] = ()
    at_work: Sequence[str] = ()

    @property
    def changes(self) -> bool:
        """Whether anything would change, in the lock or in AWS, or still does."""
        moved = self.gateway is not None and self.gateway != UNCHANGED
        return bool(self.resources or self.at_work) or moved or any(agent.changes for agent in self.agents)

    def as_dict(self) -> dict[str, Any]:
        """The object that `promote --json` prints."""
        return {"changes": self.changes, **asdict(self)}


UNCHANGED = "unchanged"


def compare(
    before: Templates, after: Templates, region: str
) -> tuple[list[ResourceChange], list[str], Cost, list[str]]:
    """Compares what is deployed with what would be.

    Args:
        before: The templates that are deployed.
        after: Those of the assembly.
        region: The environment's region, for which there are prices or not.

    Returns:
        Changed resources, changed rights, cost, and what happens to sessions.
    """
    changes = find_changes(before, after)
    return (
        changes,
        find_right_changes(before, after),
        _cost(before, after, region),
        list(_sessions(changes, before, after)),
    )


def overlay_differences(here: Mapping[str, Any], there: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Says in which fields an agent differs between two environments.

    Args:
        here: The agent where it comes from.
        there: The agent where it goes to.
        path: Place of both in the blueprint.

    Yields:
        A line for each field.
    """
    for name in sorted({*here, *there}):
        one, other = here.get(name), there.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from overlay_differences(one, other, f"{path}{name}.")
        elif one != other:
            yield f"{path}{name}: {other!r} in place of {one!r}"


def _cost(before: Templates, after: Templates, region: str) -> Cost:
    prices = Prices.load()
    if region != prices.document["region"]:
        return Cost(None, None, f"prices are known for {prices.document['region']}, not for {region}")
    try:
        return Cost(_month(before, prices), _month({**before, **after}, prices))
    except UnknownCost as unknown:
        return Cost(None, None, str(unknown))


def _month(templates: Templates, prices: Prices) -> float:
    resources = {
        (stack, name): resource
        for stack, template in templates.items()
        for name, resource in template.get("Resources", {}).items()
    }
    return round(sum(usd for _, usd in Bill(resources, prices).charges()), 2)


def _sessions(changes: Sequence[ResourceChange], before: Templates, after: Templates) -> Iterator[str]:
    for change in changes:
        if change.type == _TASK and change.action != "add":
            yield f"{change.stack}: tasks are replaced one after another; requests in flight are finished by the old"
        if change.type != _RUNTIME or change.action == "add":
            continue
        if change.action == "change":
            minutes = _lifetime(before[change.stack], change.resource) // 60
            yield (
                f"{change.stack}: running sessions keep their version until they end, {minutes} minutes at most; "
                f"{_new_sessions(after[change.stack])} the new one"
            )
        else:
            yield f"{change.stack}: running sessions end, because the runtime goes"


def _new_sessions(template: Template) -> str:
    canaries = (one["Properties"] for one in template["Resources"].values() if one["Type"] == CANARY_TYPE)
    canary = next(canaries, None)
    if canary is None:
        return "new sessions get"
    return (
        f"{json.loads(canary['Settings'])['share']:.0%} of new sessions, and if the canary goes well all of them, get"
    )


def _lifetime(template: Template, resource: str) -> int:
    lifecycle = template["Resources"][resource]["Properties"].get("LifecycleConfiguration", {})
    return int(lifecycle.get("MaxLifetime", 28_800))
