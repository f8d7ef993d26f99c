"""What a gateway tells its operators: models, keys, spend, health. LiteLLM's answers, read into rows of our own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from agent_runtime.errors import EnvironmentFault

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping

    from strandline.gateway_client import GatewayClient

Grouping = Literal["key", "model", "provider", "day"]

_PER_MILLION = 1_000_000
_KEYS_A_PAGE = 100  # LiteLLM's most
_PROBE_SECONDS = 300.0
_BREAKDOWNS: dict[str, str] = {"key": "api_keys", "model": "model_groups", "provider": "providers"}


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment behind a public name; what LiteLLM does not know is `None`.

    Attributes:
        name: Public name, which several deployments may share.
        model: Provider and model.
        input_usd: Price of a million tokens of input, in US dollars.
        output_usd: Price of a million tokens of output.
        context_tokens: Longest input.
        rpm: Requests a minute that it is given at most.
        tpm: Tokens a minute.
    """

    name: str
    model: str
    input_usd: float | None
    output_usd: float | None
    context_tokens: int | None
    rpm: int | None
    tpm: int | None


@dataclass(frozen=True, slots=True)
class VirtualKey:
    """One virtual key; never its value.

    Attributes:
        alias: Its name.
        team: The team that it belongs to.
        models: Public names that it may ask for; empty for all.
        spend_usd: What it spent in its present period.
        budget_usd: What it may spend in one.
        period: Length of the period, as LiteLLM writes it, such as `30d`.
        resets_at: When the period ends.
        rpm: Requests a minute at most.
        tpm: Tokens a minute at most.
        expires: When the key ends.
        blocked: Whether it is blocked.
    """

    alias: str | None
    team: str | None
    models: tuple[str, ...]
    spend_usd: float
    budget_usd: float | None
    period: str | None
    resets_at: str | None
    rpm: int | None
    tpm: int | None
    expires: str | None
    blocked: bool


@dataclass(frozen=True, slots=True)
class Spend:
    """What one key, model, provider or day cost.

    Attributes:
        name: Which.
        usd: US dollars.
        requests: Requests that reached a model.
        failed: Those of them that failed.
        input_tokens: Tokens of input.
        output_tokens: Tokens of output.
    """

    name: str
    usd: float
    requests: int
    failed: int
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Health:
    """The state of a gateway.

    Attributes:
        status: LiteLLM's own word; `healthy` is the good one.
        database: Whether its database answers; `None` where it has none.
        cache: Kind of its cache; `None` where it has none.
        version: Version of LiteLLM.
        in_flight: Requests that the task that answered is working on.
        models: Deployments to whether they answered; `None` when they were not asked.
    """

    status: str
    database: bool | None
    cache: str | None
    version: str | None
    in_flight: int | None
    models: list[dict[str, Any]] | None

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong."""
        models_answer = all(model["healthy"] for model in self.models or ())
        return self.status == "healthy" and self.database is not False and models_answer

    def as_dict(self) -> dict[str, Any]:
        """The members of the object that `gateway health --json` prints."""
        return asdict(self)


def list_models(client: GatewayClient) -> list[Deployment]:
    """Lists the deployments that a gateway serves, by public name.

    Args:
        client: The gateway.

    Returns:
        The deployments.

    Raises:
        EnvironmentFault: As `GatewayClient.get` does.
    """
    found = (_deployment(row) for row in client.get("/model/info")["data"])
    return sorted(found, key=lambda deployment: (deployment.name, deployment.model))


def list_keys(client: GatewayClient) -> list[VirtualKey]:
    """Lists the virtual keys of a managed gateway.

    Args:
        client: The gateway.

    Returns:
        The keys, by alias.

    Raises:
        EnvironmentFault: As `GatewayClient.get` does.
    """
    return sorted((_key(row) for row in _key_pages(client)), key=lambda key: key.alias or "")


def sum_spend(client: GatewayClient, first: dt.date, last: dt.date, by: Grouping) -> list[Spend]:
    """Sums what was spent from one day to another, both included, in UTC.

    LiteLLM writes what was spent in batches: the last minute may be missing.

    Args:
        client: A managed gateway.
        first: First day.
        last: Last day.
        by: What to group by.

    Returns:
        The groups, the dearest first; days in their order.

    Raises:
        EnvironmentFault: As `GatewayClient.get` does.
    """
    told = client.get("/user/daily/activity/aggregated", start_date=first.isoformat(), end_date=last.isoformat())
    sums: dict[str, list[float]] = {}
    for name, metrics in _metrics(told["results"], by):
        row = sums.setdefault(name, [0.0] * len(_METRICS))
        for position, metric in enumerate(_METRICS):
            row[position] += metrics.get(metric) or 0
    spent = [Spend(name, usd, *(int(count) for count in counts)) for name, (usd, *counts) in sums.items()]
    return sorted(spent, key=lambda row: row.name if by == "day" else (-row.usd, row.name))


_METRICS = ("spend", "api_requests", "failed_requests", "prompt_tokens", "completion_tokens")


def check_health(client: GatewayClient, *, models: bool = False) -> Health:
    """Asks a gateway how it is.

    Args:
        client: The gateway.
        models: Whether it shall also ask each of its models, which providers charge for.

    Returns:
        Its state.

    Raises:
        EnvironmentFault: As `GatewayClient.get` does.
    """
    told = client.get("/health/readiness/details")
    status = str(told.get("status"))
    database = told.get("db")
    return Health(
        status=status,
        database=None if database == "Not connected" else database == "connected",
        cache=_cache(told.get("cache")),
        version=told.get("litellm_version"),
        in_flight=client.get("/health/backlog").get("in_flight_requests"),
        models=_probe(client) if models else None,
    )


def _deployment(row: Mapping[str, Any]) -> Deployment:
    params, info = row["litellm_params"], row.get("model_info") or {}
    return Deployment(
        name=row["model_name"],
        model=params["model"],
        input_usd=_per_million(info.get("input_cost_per_token")),
        output_usd=_per_million(info.get("output_cost_per_token")),
        context_tokens=info.get("max_input_tokens"),
        rpm=params.get("rpm"),
        tpm=params.get("tpm"),
    )


def _per_million(price: float | None) -> float | None:
    return None if price is None else round(price * _PER_MILLION, 6)


def _key_pages(client: GatewayClient) -> Iterator[dict[str, Any]]:
    page = pages = 1
    while page <= pages:
        told = client.get("/key/list", page=page, size=_KEYS_A_PAGE, return_full_object="true")
        yield from told["keys"]
        page, pages = page + 1, told["total_pages"] or 0


def _key(row: Mapping[str, Any]) -> VirtualKey:
    return VirtualKey(
        alias=row.get("key_alias"),
        team=row.get("team_alias") or row.get("team_id"),
        models=tuple(row.get("models") or ()),
        spend_usd=row.get("spend") or 0.0,
        budget_usd=row.get("max_budget"),
        period=row.get("budget_duration"),
        resets_at=row.get("budget_reset_at"),
        rpm=row.get("rpm_limit"),
        tpm=row.get("tpm_limit"),
        expires=row.get("expires"),
        blocked=bool(row.get("blocked")),
    )


def _metrics(days: list[dict[str, Any]], by: Grouping) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for day in days:
        if by == "day":
            yield day["date"], day["metrics"]
            continue
        for name, group in day["breakdown"][_BREAKDOWNS[by]].items():
            alias = (group.get("metadata") or {}).get("key_alias") if by == "key" else name
            # The name of a key without an alias is its hash, of which the start tells it apart.
            yield alias or f"{name[:8]}...", group["metrics"]


def _cache(told: object) -> str | None:
    return told if isinstance(told, str) else type(told).__name__ if told else None


def _probe(client: GatewayClient) -> list[dict[str, Any]]:
    told = client.get("/health", timeout=_PROBE_SECONDS)
    if "healthy_endpoints" not in told:
        raise EnvironmentFault("The gateway does not tell how its models are: its log has the reason.")
    # Of a failure only its status: LiteLLM's text of it quotes the provider, and a stack.
    return [
        {"model": row.get("model"), "healthy": healthy, "status": None if healthy else row.get("exception_status")}
        for healthy, group in ((True, "healthy_endpoints"), (False, "unhealthy_endpoints"))
        for row in told[group]
    ]
