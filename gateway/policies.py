"""How the gateway chooses among deployments, what it does when one fails, and what it keeps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from agent_runtime.strict import Fault, Rules, StrictModel
from gateway.names import PublicName, PublicNames

Strategy = Literal["simple-shuffle", "least-busy", "latency-based", "cost-based"]
_Retries = Annotated[int, Field(ge=0, le=10)]
_Fails = Annotated[int, Field(ge=0, le=1000)]


class Routing(StrictModel):
    """How a deployment is chosen, and what follows when it fails."""

    strategy: Strategy = Field(
        default="simple-shuffle",
        examples=["latency-based"],
        description="simple-shuffle draws by weight (or by rpm or tpm); least-busy takes the one with the fewest "
        "requests in flight, latency-based the fastest of late, cost-based the cheapest.",
    )
    default_fallbacks: PublicNames = Field(
        default=(), examples=["[gpt-5-mini]"], description="Models that are asked when any other has failed."
    )
    max_fallbacks: int = Field(
        default=5, ge=1, le=20, examples=[2], description="Most fallbacks that are tried for one request."
    )
    timeout_seconds: int = Field(
        default=600, ge=1, le=3600, examples=[300], description="Longest wait for one call of a provider."
    )
    check_context_window: bool = Field(
        default=False,
        examples=[True],
        description="Whether the tokens of each prompt are counted, so that none too long is sent; it costs time. "
        "Without it the provider's refusal leads to the context window fallbacks as well.",
    )


class RetriesByError(StrictModel):
    """How often a failed call is made again, by what failed; left out: retries.count."""

    bad_request: _Retries | None = Field(default=None, examples=[0], description="The provider calls it invalid.")
    authentication: _Retries | None = Field(default=None, examples=[0], description="The provider refuses the key.")
    timeout: _Retries | None = Field(default=None, examples=[1], description="No answer in time.")
    rate_limit: _Retries | None = Field(default=None, examples=[3], description="The provider's limit is reached.")
    content_policy: _Retries | None = Field(default=None, examples=[0], description="The provider refuses the content.")
    internal_server: _Retries | None = Field(default=None, examples=[2], description="The provider fails (500).")
    service_unavailable: _Retries | None = Field(default=None, examples=[2], description="The provider is away (503).")


class Retries(StrictModel):
    """How often a failed call is made again, before a fallback is asked."""

    count: _Retries = Field(default=2, examples=[1], description="Times that a failed call is made again.")
    wait_seconds: int = Field(
        default=0, ge=0, le=60, examples=[1], description="Least pause before; a provider's Retry-After counts too."
    )
    by_error: RetriesByError = Field(
        default=RetriesByError(), examples=["{rate_limit: 3}"], description="The same, by what failed."
    )


class FailsByError(StrictModel):
    """How many failures a minute a deployment may have, by what failed; left out: cooldown.allowed_fails."""

    bad_request: _Fails | None = Field(default=None, examples=[1000], description="The provider calls it invalid.")
    authentication: _Fails | None = Field(default=None, examples=[1], description="The provider refuses the key.")
    timeout: _Fails | None = Field(default=None, examples=[3], description="No answer in time.")
    rate_limit: _Fails | None = Field(default=None, examples=[10], description="The provider's limit is reached.")
    content_policy: _Fails | None = Field(
        default=None, examples=[1000], description="The provider refuses the content."
    )
    internal_server: _Fails | None = Field(default=None, examples=[3], description="The provider fails (500).")
    service_unavailable: _Fails | None = Field(default=None, examples=[3], description="The provider is away (503).")


class Cooldown(StrictModel):
    """When a deployment that fails is left alone."""

    enabled: bool = Field(default=True, examples=[False], description="Whether it ever is.")
    allowed_fails: _Fails = Field(
        default=3, examples=[5], description="Failures a minute that a deployment may have before it is left alone."
    )
    seconds: int = Field(default=5, ge=1, le=3600, examples=[30], description="How long it is left alone.")
    by_error: FailsByError = Field(
        default=FailsByError(), examples=["{rate_limit: 10}"], description="The same, by what failed."
    )


def _cache_faults(cache: Cache) -> Iterator[Fault]:
    if cache.type == "semantic" and cache.embedding_model is None:
        yield Fault(
            "semantic needs a model that turns a prompt into a vector",
            "add embedding_model: <name of a model of this file>",
            ("type",),
        )
    written: tuple[Literal["embedding_model", "similarity"], ...] = ("embedding_model", "similarity")
    for name in written:
        if name in cache.model_fields_set and cache.type != "semantic":
            yield Fault(f"{name} belongs to type: semantic", f"remove {name}", (name,))
    if "ttl_seconds" in cache.model_fields_set and cache.type == "off":
        yield Fault("nothing is kept: the cache is off", "set type, or remove ttl_seconds", ("ttl_seconds",))


class Cache(StrictModel):
    """Whether an answer is kept for the next one who asks the same."""

    RULES: ClassVar[Rules] = (_cache_faults,)

    type: Literal["off", "in-memory", "redis", "semantic"] = Field(
        default="off",
        examples=["redis"],
        description="in-memory is each task's own, redis is shared by all; semantic also answers prompts that mean the "
        "same, from ElastiCache for Valkey 8.2 or later.",
    )
    ttl_seconds: int = Field(
        default=3600, ge=1, le=2_592_000, examples=[600], description="How long an answer is kept."
    )
    similarity: float = Field(
        default=0.9,
        ge=0.5,
        le=1,
        allow_inf_nan=False,
        examples=[0.95],
        description="How alike two prompts are that have the same answer, up to 1; with semantic.",
    )
    embedding_model: PublicName | None = Field(
        default=None, examples=["embeddings"], description="Model of this file that makes the vectors; with semantic."
    )
