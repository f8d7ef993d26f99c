"""AgentCore and S3 at the network's edge: what boto3 clients are called with, and what they answer."""

from __future__ import annotations

import io
import json
import threading
from collections import Counter

from botocore.exceptions import ClientError, ReadTimeoutError


def done(text="High water at six.", **more):
    return [
        {"type": "done", "result": {"role": "assistant"}, "bundle": "b" * 64, "latency_ms": 5.0, **more}
        | {"text": text}
    ]


class _Body:
    def __init__(self, content, breaks):
        self._content = content
        self._breaks = breaks

    def iter_chunks(self, size):
        yield from (self._content[at : at + size] for at in range(0, len(self._content), size))
        if self._breaks:
            raise ReadTimeoutError(endpoint_url="https://bedrock-agentcore.example")


class Agents:
    """`bedrock-agentcore`: the probe answers; a prompt is answered by what is scripted for it, in turn."""

    def __init__(self, **scripts):
        self.scripts = {name: list(events) for name, events in scripts.items()}
        self.probe = {"type": "probe", "bundle": "b" * 64}
        self.broken = set()
        self.asked = Counter()
        self.sessions, self.stopped, self.qualifiers = [], [], set()
        self._lock = threading.Lock()

    def invoke_agent_runtime(self, *, payload, runtimeSessionId, qualifier, **_):
        told = json.loads(payload)
        with self._lock:
            self.sessions.append(runtimeSessionId)
            self.qualifiers.add(qualifier)
            if told == {"probe": True}:
                if isinstance(self.probe, ClientError):
                    raise self.probe
                content = json.dumps(self.probe).encode()
                return {"contentType": "application/json", "response": io.BytesIO(content)}
            prompt = told["prompt"]
            self.asked[prompt] += 1
            script = self.scripts[prompt]
            (event,) = script.pop(0) if len(script) > 1 else script[0]
        piece = {"type": "text_delta", "event": {"contentBlockDelta": {"delta": {"text": event.get("text", "")}}}}
        lines = b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in (piece, event))
        return {"contentType": "text/event-stream", "response": _Body(lines, breaks=prompt in self.broken)}

    def stop_runtime_session(self, *, runtimeSessionId, **_):
        with self._lock:
            self.stopped.append(runtimeSessionId)


class Control:
    """`bedrock-agentcore-control`: which version is behind which endpoint."""

    class exceptions:
        class ResourceNotFoundException(Exception):
            pass

    def __init__(self, **versions):
        self.versions = versions

    def get_agent_runtime_endpoint(self, *, agentRuntimeId, endpointName):
        if endpointName not in self.versions:
            raise self.exceptions.ResourceNotFoundException
        return {"liveVersion": self.versions[endpointName]}


class Store:
    """S3, to write to only."""

    def __init__(self):
        self.objects = {}

    def put_object(self, *, Bucket, Key, Body, **_):
        assert Bucket == "records"
        self.objects[Key] = Body
