"""What an artefact has to run on."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Target:
    """What the artefact has to run on.

    Attributes:
        platform: uv's name of the platform, or `host` for the machine at hand.
        python: Python version, such as `3.13`.
    """

    platform: Literal["aarch64-manylinux_2_28", "host"]
    python: str

    @property
    def agentcore_runtime(self) -> str:
        """The version as AgentCore's `runtime` names it."""
        return "PYTHON_" + self.python.replace(".", "_")

    @property
    def is_host(self) -> bool:
        """Whether it is the machine at hand."""
        return self.platform == "host"


AGENTCORE = Target("aarch64-manylinux_2_28", "3.13")
"""AgentCore runs Graviton, and nothing else."""
HOST = Target("host", f"{sys.version_info.major}.{sys.version_info.minor}")
"""The machine at hand, on which the local cloud runs sessions as processes."""
