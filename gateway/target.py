"""Where the proxy runs: what of an environment changes the configuration that `gateway.yaml` becomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Profile = Literal["stateless", "managed"]
ExecutionMode = Literal["simulation", "staging", "production"]


@dataclass(frozen=True, slots=True)
class GatewayTarget:
    """One environment as the proxy's configuration sees it.

    Attributes:
        profile: managed has a database, and with it virtual keys, budgets and spend; stateless has none.
        execution_mode: In simulation no provider is called: every model is answered by the simulator.
        redis: Whether the proxy has a Redis, by which tasks share limits, cooldowns and the cache.
        tasks: The most tasks that run at once.
        simulated_models: Models that agents ask for at endpoints of their own and that are answered by the simulator
            too; in simulation only.
    """

    profile: Profile = "stateless"
    execution_mode: ExecutionMode = "simulation"
    redis: bool = False
    tasks: int = 1
    simulated_models: tuple[str, ...] = ()

    @property
    def simulates(self) -> bool:
        """Whether every model is answered by the simulator."""
        return self.execution_mode == "simulation"
