"""The simulator: a provider of LiteLLM's proxy that answers by scenarios and asks nobody.

LiteLLM's configuration names `gateway.proxy.simulator.provider` as the handler of the provider `strandline`.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """Makes `provider` when it is asked for: the rest of the package does without LiteLLM, slow to import."""
    if name != "provider":
        raise AttributeError(name)
    from gateway.proxy.simulator.handler import Simulator

    globals()[name] = Simulator()
    return globals()[name]
