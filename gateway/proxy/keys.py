"""The proxy's own keys, by the variables that hold them."""

from __future__ import annotations

import os

MASTER_KEY = "LITELLM_MASTER_KEY"
INFERENCE_KEY = "STRANDLINE_GATEWAY_KEY"
BEARER = b"Bearer "


def read_key(name: str) -> bytes:
    """Reads a key; nothing where it is not set."""
    return os.environ.get(name, "").encode()


def read_next(name: str) -> bytes:
    """Reads the key that will follow another: taken before anybody uses it, so that a rotation refuses no caller."""
    return read_key(f"{name}_NEXT")
