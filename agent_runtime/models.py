"""Moved to `agent_runtime.providers`."""

from agent_runtime.providers import build_model_source
from agent_runtime.providers.source import ModelSource

__all__ = ["ModelSource", "build_model_source"]
