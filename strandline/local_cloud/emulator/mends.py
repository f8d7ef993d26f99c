# mypy: disable-error-code="import-not-found"

"""Mends of MiniStack that belong to no service of ours."""

from __future__ import annotations

import ipaddress
import logging
from typing import Any

import ministack.app as ministack
from ministack.core import iam_evaluator


def apply() -> None:
    """Apply them; once, before the first request."""
    _count_loopback_as_secure()
    logging.getLogger("hypercorn.access").disabled = True


def _count_loopback_as_secure() -> None:
    """The policy of the bootstrap's bucket denies plain HTTP; what never leaves the machine needs no TLS."""
    pin = iam_evaluator.pin_request_origin

    def pin_request_origin(source_ip: str, secure_transport: bool) -> Any:
        return pin(source_ip, secure_transport or _is_loopback(source_ip))

    ministack.pin_request_origin = pin_request_origin


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
