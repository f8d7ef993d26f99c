"""The parts of a running emulator, handed to those that need them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from .addresses import AddressBook
    from .agentcore.sessions import SessionManager
    from .balancer.listeners import Balancers
    from .balancer.targets import TargetHealth
    from .processes import Supervisor
    from .roles import CredentialVendor
    from .settings import Settings


@dataclass(frozen=True)
class Context:
    """One emulator."""

    settings: Settings
    supervisor: Supervisor
    vendor: CredentialVendor
    addresses: AddressBook
    sessions: SessionManager
    balancers: Balancers
    target_health: TargetHealth

    def start_background(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin what goes on beside the requests."""
        self.balancers.start(loop)
        self.target_health.start()
        self.sessions.start()
