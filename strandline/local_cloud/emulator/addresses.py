"""Loopback addresses: one for each load balancer and each task.

The emulator's port is its own on this machine: the two middle octets are made of it, no two clouds share an address.
"""

from __future__ import annotations

import threading

_OCTET = 256
_BALANCERS = range(1, 64)
_TASKS = range(64, 255)


class AddressBook:
    """The addresses of one cloud."""

    def __init__(self, port: int) -> None:
        self._network = f"127.{port // _OCTET}.{port % _OCTET}"
        self._used: set[str] = set()
        self._last = {_BALANCERS: _BALANCERS.stop - 1, _TASKS: _TASKS.stop - 1}
        self._lock = threading.Lock()

    def for_balancer(self) -> str:
        """An address for a load balancer."""
        return self._take(_BALANCERS)

    def for_task(self) -> str:
        """An address for a task; those given back longest ago come first: no client mistakes one for another."""
        return self._take(_TASKS)

    def claim(self, address: str) -> bool:
        """Take an address that was given out by an earlier run; false if it is not of this cloud."""
        with self._lock:
            if not address.startswith(f"{self._network}."):
                return False
            self._used.add(address)
            return True

    def release(self, address: str) -> None:
        """Give an address back."""
        with self._lock:
            self._used.discard(address)

    def _take(self, pool: range) -> str:
        with self._lock:
            for step in range(len(pool)):
                host = pool.start + (self._last[pool] - pool.start + 1 + step) % len(pool)
                address = f"{self._network}.{host}"
                if address not in self._used:
                    self._used.add(address)
                    self._last[pool] = host
                    return address
        raise RuntimeError(f"all {len(pool)} loopback addresses of {self._network}.0/24 are in use")
