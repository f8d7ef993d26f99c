"""Locks for tests."""

from __future__ import annotations

from stacks.releases.lock import RecordedChecks, ReleasedAgent, ReleasedGateway, ReleaseLock


def entry(bundle: str = "b" * 64, **fields) -> ReleasedAgent:
    given = {
        "version": "1.0.0",
        "artefact": "a" * 64,
        "runtime": "PYTHON_3_13",
        "bundle": bundle,
        "promoted_from": "simulation",
        "promoted_by": "ada@example.com",
        "promoted_at": "2026-11-21T18:30:00Z",
        "checks": RecordedChecks(passed=True, at="2026-11-21T18:00:00Z", cases=3, digest="c" * 64),
    }
    return ReleasedAgent(**(given | fields))


def gateway() -> ReleasedGateway:
    return ReleasedGateway(
        settings="1" * 64,
        configuration="2" * 64,
        image="ghcr.io/berriai/litellm@sha256:" + "3" * 64,
        promoted_from="simulation",
        promoted_by="ada@example.com",
        promoted_at="2026-11-21T18:30:00Z",
    )


def lock(environment: str = "staging", **agents: ReleasedAgent) -> ReleaseLock:
    return ReleaseLock(environment=environment).with_entries(agents or {"hello": entry()}, gateway())
