"""How the proxy's server is started: one place for the task definition, the local cloud and the benchmark.

From the client inwards each limit is above the next. An agent's request lasts 600 s at most; the load balancer waits as
long for the next byte and before it lets a task go; ECS gives the task 120 s more, Fargate's most, and LiteLLM drains
in a little less. Kept connections live longer on LiteLLM's side than on the balancer's, which would otherwise send a
request into one that LiteLLM is just closing, and answer 502 (Elastic Load Balancing, "Troubleshoot your ALB").
"""

from __future__ import annotations

from collections.abc import Mapping

LONGEST_REQUEST_SECONDS = 600
IDLE_TIMEOUT_SECONDS = LONGEST_REQUEST_SECONDS
DEREGISTRATION_SECONDS = LONGEST_REQUEST_SECONDS
KEEP_ALIVE_SECONDS = IDLE_TIMEOUT_SECONDS + 60
STOP_TIMEOUT_SECONDS = 120
DRAIN_SECONDS = 110
READINESS = "/health/readiness"


def arguments(port: int, *, workers: int = 1) -> tuple[str, ...]:
    """The command line of `gateway.proxy.serve`, without its `--config`.

    Args:
        port: Where it listens.
        workers: Processes; one for each task, because ECS scales tasks (LiteLLM, "Production best practices").

    Returns:
        The arguments.
    """
    seconds = {"--keep-alive": KEEP_ALIVE_SECONDS, "--drain": DRAIN_SECONDS}
    options = {"--port": port, "--workers": workers, **seconds}
    return tuple(str(part) for option in options.items() for part in option)


def variables() -> Mapping[str, str]:
    """The environment of the proxy, without secrets and without what differs from place to place.

    Returns:
        Values by variable.
    """
    return {
        # Without these LiteLLM reads `.env` files, fetches a price list at import, and logs whole requests.
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "WARNING",
        # An API that describes itself, and a page to try it, are for nobody who reaches this port.
        "NO_DOCS": "True",
        "NO_REDOC": "True",
        # OpenAI's models by LiteLLM's own HTTP handler, as those of nearly all other providers, and not by the `openai`
        # package, which costs a quarter of the proxy's work ("Performance", release notes of LiteLLM 1.75.8).
        "EXPERIMENTAL_OPENAI_BASE_LLM_HTTP_HANDLER": "True",
        # One arena of memory for all threads: nearly all of the work is in one of them ("malloc tunables", glibc).
        "MALLOC_ARENA_MAX": "1",
        "GRACEFUL_SHUTDOWN_TIMEOUT": str(DRAIN_SECONDS),
    }
