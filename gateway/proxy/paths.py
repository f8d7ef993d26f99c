"""Which paths of the proxy are for inference: what an agent's key may open.

LiteLLM's own list of inference routes is longer: it has the pass-through routes, by which a caller reaches any path of
a provider with the gateway's key for it, and files and batches, which belong to nobody in particular.
"""

from __future__ import annotations

import re

INFERENCE_PATHS = (
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/models",
    "/moderations",
    "/rerank",
    "/responses",
)
"""Each is served with and without `/v1` in front."""

_INFERENCE = re.compile(rf"(?:/v1)?(?:{'|'.join(INFERENCE_PATHS)})")


def is_inference(path: str) -> bool:
    """Whether a path is for inference.

    Args:
        path: The path of a request, without its query.

    Returns:
        True only for the exact paths; nothing below them.
    """
    return _INFERENCE.fullmatch(path) is not None
