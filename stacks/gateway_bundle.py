"""The gateway bundle: all that the proxy runs on and that is not LiteLLM, as one zip that is named by its hash.

    config.yaml      what `gateway.yaml` compiles to for the environment
    gateway/         `gateway.proxy`: our code inside the proxy
    scenarios/       what the simulator answers by

A change of routing, of a scenario or of a hook is another bundle, and the task definition points at it; the container
image stays as it is.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import gateway
from stacks.packaging import archive

CONFIG = "config.yaml"
SCENARIOS = "scenarios"

_PACKAGE = Path(gateway.__file__).parent
_BOOTSTRAP = _PACKAGE / "proxy" / "bootstrap.py"
_NOTHING: Mapping[str, bytes] = {}


@dataclass(frozen=True, slots=True)
class GatewayBundle:
    """The bundle.

    Attributes:
        content: The zip.
        sha256: Its hash.
    """

    content: bytes
    sha256: str


def build_gateway_bundle(config: str, scenarios: Mapping[str, bytes] = _NOTHING) -> GatewayBundle:
    """Put the bundle together; the same input gives the same bytes on every machine.

    Args:
        config: LiteLLM's configuration.
        scenarios: Files for the simulator, by their names.

    Returns:
        The bundle.
    """
    files = {
        **_code(),
        CONFIG: config.encode(),
        **{f"{SCENARIOS}/{name}": content for name, content in scenarios.items()},
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "bundle.zip")
        archive.write([archive.Entry.of(name, content) for name, content in files.items()], path)
        content = path.read_bytes()
    return GatewayBundle(content, hashlib.sha256(content).hexdigest())


@cache
def bootstrap_source() -> str:
    """The program that a container starts with, as `python3 -c` takes it."""
    return _BOOTSTRAP.read_text(encoding="utf-8")


@cache
def _code() -> Mapping[str, bytes]:
    """What of the package `gateway` runs inside the proxy. The bootstrap is the container's command line."""
    sources = [_PACKAGE / "__init__.py", *(path for path in _PACKAGE.joinpath("proxy").rglob("*.py"))]
    return {
        f"gateway/{path.relative_to(_PACKAGE).as_posix()}": path.read_bytes() for path in sources if path != _BOOTSTRAP
    }
