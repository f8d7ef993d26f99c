"""An OpenAI-compatible server that answers at once: `python -m benchmarks.upstream PORT`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_WORDS = ["The", "tide", "turns", "twice", "a", "day", "."]
_USAGE = {"prompt_tokens": 20, "completion_tokens": len(_WORDS), "total_tokens": 20 + len(_WORDS)}


def _chunk(delta: dict[str, str], reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "bench", "choices": [choice]}


_CHUNKS = [_chunk({"role": "assistant", "content": ""}), *(_chunk({"content": f"{word} "}) for word in _WORDS)]
_CHUNKS += [_chunk({}, "stop"), {**_chunk({}), "choices": [], "usage": _USAGE}]
_STREAM = b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in _CHUNKS) + b"data: [DONE]\n\n"


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Streams the same answer to whoever asks."""
    while scope["method"] == "POST" and (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    await send({"type": "http.response.body", "body": _STREAM})


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", lifespan="off", access_log=False)
