"""`docs/cost.md`, written from the priced templates; the same figures give the same text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from strandline.pricing import Prices

Row = dict[str, Any]
"""A row of `cost.json`: environment, profile, usd_month, and parts by name."""
AGENTS = "agents, without secrets"
PROFILES = ("stateless", "managed")
TARGETS = {("simulation", "stateless"): 35.0, ("staging", "managed"): 80.0, ("production", "managed"): 250.0}
"""Most US dollars a month, of an environment as `environments.yaml` has it."""

_AWS_GUIDANCE, _BERRIAI_MODULE = 378, 616
_REQUESTS = 1_000_000
_REQUEST_KB = 8

_PAGE = """\
# What it costs

Written by `make bench-cost` from the synthesised templates of this repository's own `environments.yaml` and
`blueprints/`, its agents (one, inside the VPC) allowed in every environment; a test holds this page to them. Every
resource is either priced or on a list of types that are free in an idle month (`strandline/pricing.py`), and a type on
neither is an error. Prices are AWS's list prices of {region} as of {as_of} (`strandline/prices.yaml`), without free
tiers, savings plans and taxes: an estimate, not an offer.

## An idle month, in US dollars

Everything runs, is checked for health, and nobody calls it. The profile that `environments.yaml` chooses is in bold.

{summary}

{targets}

An agent's stack costs {agents:.2f} while nobody calls it: AgentCore bills what a session uses. What it adds is a secret
for each variable that it names, and with a managed gateway one for its key: {secret:.2f} a month each, in the
environment's sum.

For the same job AWS's own guidance (a multi-provider gateway, LiteLLM on ECS) names {aws} USD a month in its table,
interface endpoints not counted, and BerriAI's ECS module comes to about {berriai} USD.

## By part

{parts}

## What traffic adds

For {requests:,} requests of {kb} KB a month in and out, besides the models themselves and AgentCore's sessions:

{traffic}

Tasks that are added under load (`max_tasks`) cost {task:.4f} USD an hour each at half a vCPU and 1 GB, and
{large:.4f} at one vCPU and 2 GB. Data that leaves AWS, the storage of logs, of assets in S3 and of backups above the
size of the database are left out: cents, in an idle month.

## Assumptions

What no template tells:

{assumptions}

## Prices

{prices}
"""


def write_page(rows: Sequence[Row], prices: Prices) -> str:
    """Writes the page.

    Args:
        rows: The rows of `cost.json`.
        prices: The price table, which knows what was asked of it.

    Returns:
        The text.
    """
    document = prices.document
    return _PAGE.format(
        region=document["region"],
        as_of=document["as_of"],
        summary=_summary(rows),
        targets=_targets(rows),
        agents=next(row["usd_month"] for row in rows if row["profile"] == AGENTS),
        secret=prices.of("secret_month"),
        aws=_AWS_GUIDANCE,
        berriai=_BERRIAI_MODULE,
        parts=_parts(rows),
        requests=_REQUESTS,
        kb=_REQUEST_KB,
        traffic=_traffic(prices),
        task=_task_hour(prices, 0.5, 1),
        large=_task_hour(prices, 1, 2),
        assumptions=_table(
            ("assumption", "value", "why"),
            ((f"`{name}`", f"{one['value']}", one["why"]) for name, one in document["assumptions"].items()),
        ),
        prices=_table(
            ("price", "USD", "authority", "seen"),
            (
                (f"`{name}`", f"{one['usd']}", one["page"], one["seen"] or "not looked up again")
                for name, one in document["prices"].items()
                if name in prices.used
            ),
        ),
    )


def _environments(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row["environment"] for row in rows if row["profile"] in PROFILES))


def _summary(rows: Sequence[Row]) -> str:
    found = {(row["environment"], row["profile"]): row["usd_month"] for row in rows}

    def cell(environment: str, profile: str) -> str:
        usd = f"{found[environment, profile]:.2f}"
        return f"**{usd}**" if (environment, profile) in TARGETS else usd

    return _table(
        ("environment", *PROFILES),
        ((environment, *(cell(environment, profile) for profile in PROFILES)) for environment in _environments(rows)),
    )


def _targets(rows: Sequence[Row]) -> str:
    found = {(row["environment"], row["profile"]): row["usd_month"] for row in rows}
    told = [
        f"{environment} at most {target:.0f} ({'kept' if found[environment, profile] <= target else '**missed**'})"
        for (environment, profile), target in TARGETS.items()
    ]
    return f"Targets: {', '.join(told)}."


def _parts(rows: Sequence[Row]) -> str:
    columns = [row for row in rows if row["profile"] in PROFILES]
    parts = sorted({part for row in columns for part in row["parts"]})
    return _table(
        ("part", *(f"{row['environment']}, {row['profile']}" for row in columns)),
        (
            *((part, *(f"{row['parts'].get(part, 0):.2f}" for row in columns)) for part in parts),
            ("**sum**", *(f"**{row['usd_month']:.2f}**" for row in columns)),
        ),
    )


def _traffic(prices: Prices) -> str:
    gigabytes = _REQUESTS * _REQUEST_KB / 1024**2
    # An LCU is an hour of 25 new connections a second, 3,000 active ones, 1 GB, or 1,000 rule evaluations a second.
    rows = [
        ("load balancer", gigabytes * prices.of("lcu_hour"), "one LCU hour for each GB"),
        ("NAT gateway", gigabytes * prices.of("nat_gateway_gb"), "where there is one"),
        ("logs", _REQUESTS / 1e6 * prices.of("log_ingestion_gb"), "one line of 1 KB for each request"),
    ]
    return _table(("part", "USD", "how"), ((part, f"{usd:.2f}", how) for part, usd, how in rows))


def _task_hour(prices: Prices, vcpu: float, gigabytes: float) -> float:
    return vcpu * prices.of("fargate_arm_vcpu_hour") + gigabytes * prices.of("fargate_arm_gb_hour")


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
