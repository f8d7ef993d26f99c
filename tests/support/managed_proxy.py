"""The real LiteLLM proxy with a real PostgreSQL, and a real Redis where it is asked for: the profile `managed`.

with managed_proxy(config, redis=True, OPENAI_API_KEY="sk-...") as (url, log): ...
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.litellm_proxy import HOME, REPOSITORY, litellm_proxy, proxy_python
from tests.support.prisma import ensure_prisma
from tests.support.servers import new_database, redis_server

SALT_KEY = "sk-canary-salt-key"


@contextmanager
def managed_proxy(config: Path, *, redis: bool = False, **variables: str):
    """Runs the proxy on a `config.yaml` and an empty database of its own; gives its address and its log."""
    with managed_variables(redis=redis) as managed, litellm_proxy(config, **managed, **variables) as running:
        yield running


@contextmanager
def managed_variables(*, redis: bool):
    """What proxies are told so that they share a database, and a Redis where it is asked for."""
    with ExitStack() as stack:
        variables = database_variables()
        if redis:
            variables |= {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(stack.enter_context(redis_server()))}
        yield variables


def database_variables(url: str | None = None) -> dict[str, str]:
    """What a proxy is told so that it has a database; without a URL each call makes another one."""
    python = proxy_python()
    prisma = ensure_prisma(python, HOME)
    return {
        "DATABASE_URL": url or migrated_database(),
        "DISABLE_SCHEMA_UPDATE": "true",
        "LITELLM_SALT_KEY": SALT_KEY,
        "PATH": f"{prisma.programs}:{os.environ['PATH']}",
        "PRISMA_QUERY_ENGINE_BINARY": str(prisma.engine),
        "PYTHONPATH": f"{REPOSITORY}:{prisma.packages}",
    }


def migrated_database() -> str:
    """Makes a database as LiteLLM's migrations leave it; gives its URL."""
    return new_database(next(proxy_python().parents[1].glob("lib/*/site-packages/litellm_proxy_extras/migrations")))
