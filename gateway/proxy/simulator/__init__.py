"""The simulator: a provider of LiteLLM's proxy that answers by scenarios and asks nobody.

LiteLLM's configuration names `gateway.proxy.simulator.provider` as the handler of the provider `strandline`.
"""

from __future__ import annotations

from gateway.proxy.simulator.handler import Simulator

__all__ = ["provider"]

provider = Simulator()
