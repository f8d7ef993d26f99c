"""An OpenAI-compatible server that answers at once, whole or in a stream: `python -m benchmarks.upstream PORT`."""

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
_CHOICE = {"index": 0, "message": {"role": "assistant", "content": " ".join(_WORDS)}, "finish_reason": "stop"}
_WHOLE = json.dumps(
    {"id": "c", "object": "chat.completion", "created": 1, "model": "bench", "choices": [_CHOICE], "usage": _USAGE}
).encode()


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Gives the same answer to whoever asks."""
    body = b""
    while scope["method"] == "POST":
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    streams = not body or json.loads(body).get("stream")
    kind, answer = (b"text/event-stream", _STREAM) if streams else (b"application/json", _WHOLE)
    headers = [(b"content-type", kind), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", lifespan="off", access_log=False)
