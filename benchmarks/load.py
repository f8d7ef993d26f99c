"""Asks an OpenAI-compatible server as fast as it answers: `python -m benchmarks.load PORT CONNECTIONS SECONDS`.

Every connection is kept and asks again once it has its answer. It speaks HTTP by itself, because any client's library
would cost more than the server that is measured. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from benchmarks.serving import MODEL, PROXY_KEY

_BODY = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "When does the tide turn?"}]}).encode()
_REQUEST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
    b"Authorization: Bearer %b\r\nContent-Length: %d\r\n\r\n%b"
) % (PROXY_KEY.encode(), len(_BODY), _BODY)


async def _ask(port: int, until: float, times: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (begun := time.perf_counter()) < until:
        writer.write(_REQUEST)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        answer = await _body(reader, head)
        times.append((time.perf_counter() - begun) * 1000)
        if b" 200 " not in head.partition(b"\r\n")[0] or b'"choices"' not in answer:
            sys.exit(f"The server answers {head[:200]!r} {answer[:500]!r}")
    writer.close()


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    if b"content-length:" in head:
        return await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
    body = b""
    while size := int(await reader.readline(), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return body


async def _load(port: int, connections: int, seconds: float) -> dict[str, object]:
    times: list[float] = []
    begun = time.perf_counter()
    await asyncio.gather(*(_ask(port, begun + seconds, times) for _ in range(connections)))
    return {"seconds": time.perf_counter() - begun, "times_ms": times}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_load(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))))
