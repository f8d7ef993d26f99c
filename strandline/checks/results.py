"""What a deployment recorded of an agent's checks, read back and held to its hash."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import EnvironmentFault
from stacks.custom_resources.records import digest_of, record_folder, record_key
from stacks.names import CHECKS_STACK, GATE_TYPE, RECORDS_OUTPUT
from strandline.deployed_stacks import ids_by_kind, stack_outputs, stack_resources
from strandline.s3_objects import read_object
from strandline.targets import CALLS_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from strandline.targets import Target


@dataclass(frozen=True, slots=True)
class CheckResult:
    """How the checks of one release went.

    Attributes:
        passed: Whether all of them passed.
        at: When they ran, ISO 8601 in UTC.
        version: The version of the runtime that they asked.
        bundle: Hash of its bundle.
        code: Hash of its code artefact.
        cases: Each check: name, passed, runs, passes, reasons, latency_ms, cost_usd.
        digest: SHA-256 of the record, by which the stack of the agent knows it.
    """

    passed: bool
    at: str
    version: str
    bundle: str
    code: str
    cases: tuple[dict[str, Any], ...]
    digest: str


def read_results(target: Target, bundles: Mapping[str, str]) -> dict[str, CheckResult]:
    """Reads how the checks of what is deployed went.

    Args:
        target: The environment.
        bundles: Hash of the bundle that an agent's result has to be of, by the agent's id.

    Returns:
        The results by agent; without those that are not deployed there, or were let pass with another bundle.

    Raises:
        EnvironmentFault: A record is gone, or is not the one that the deployment made.
    """
    if not bundles:
        return {}
    with ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
        digests = pool.map(lambda agent: _recorded_digest(target, agent), bundles)
        recorded = {agent: digest for agent, digest in zip(bundles, digests, strict=True) if digest}
        bucket = records_bucket(target) if recorded else ""
        results = pool.map(lambda agent: _load(target, bucket, agent, recorded[agent]), recorded)
        found = dict(zip(recorded, results, strict=True))
    return {agent: result for agent, result in found.items() if result.bundle == bundles[agent]}


def find_records(target: Target, agent_id: str, most: int = 50) -> list[CheckResult]:
    """Reads what was recorded of an agent's checks, passed or not.

    Args:
        target: The environment.
        agent_id: Id of the agent.
        most: How many records at most, the newest.

    Returns:
        The results, the oldest first; empty where there are none.

    Raises:
        EnvironmentFault: A record is not the one that its name says.
    """
    try:
        bucket = records_bucket(target)
    except EnvironmentFault:
        return []
    pages = target.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=record_folder(agent_id))
    found = sorted((one for page in pages for one in page.get("Contents", ())), key=lambda one: one["LastModified"])
    digests = [one["Key"].rpartition("/")[2].removesuffix(".json") for one in found[-most:]]
    return sorted((_load(target, bucket, agent_id, digest) for digest in digests), key=lambda result: result.at)


def _load(target: Target, bucket: str, agent_id: str, digest: str) -> CheckResult:
    key = record_key(agent_id, digest)
    where = f"the record of the checks of {agent_id} in {target.environment.name}, s3://{bucket}/{key},"
    mend = f"deploy again and the checks run again: strandline deploy --env {target.environment.name}"
    content = read_object(target.client("s3"), bucket, key, called=where, hint=f"; {mend}")
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise EnvironmentFault(f"{where} was changed: its SHA-256 is {found}; {mend}")
    told = json.loads(content)
    return CheckResult(
        told["passed"], told["at"], told["version"], told["bundle"], told["code"], tuple(told["cases"]), digest
    )


def records_bucket(target: Target) -> str:
    """Finds where an environment's records are.

    Args:
        target: The environment.

    Returns:
        Name of the bucket.

    Raises:
        EnvironmentFault: The environment has no such bucket.
    """
    name = checks_outputs(target).get(RECORDS_OUTPUT)
    if name is None:
        environment = target.environment.name
        raise EnvironmentFault(
            f"{environment} has no records of checks: the stack {target.stack_name(CHECKS_STACK)} is not deployed. "
            f"Deploy it: strandline deploy --env {environment}"
        )
    return name


def checks_outputs(target: Target) -> Mapping[str, str]:
    """Gives what the stack of the checks tells, by the names of its outputs; nothing where it is not deployed."""
    return stack_outputs(target, target.stack_name(CHECKS_STACK))


def _recorded_digest(target: Target, agent_id: str) -> str | None:
    gate = ids_by_kind(stack_resources(target, target.agent_stack_name(agent_id))).get(GATE_TYPE)
    return digest_of(gate) if gate else None
