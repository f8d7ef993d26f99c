"""The handler's own process, of which copies are made as platform V2 makes them: its whole memory, to go on from there.

Run as a program, with the variables of a runtime and, as its argument, the number of the pipe to answer on. Each line
of JSON on standard input asks for something: `{"ask": "state"}` for what the process holds, `{"ask": "copy", "wall":
..., "monotonic": ...}` for a copy whose clocks are ahead by so many seconds. `/state` of a copy gives its state.

A copy must not notice that it is one, or it would behave better than a restored session. So it is made by libc's fork,
which runs none of Python's hooks (one of them seeds `random` anew), and goes on inside the very event loop. What the
kernel would share between parent and copy is replaced under the same number: listener, epoll and wake-up pair.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import datetime
import functools
import gc
import hashlib
import json
import os
import random
import re
import select
import signal
import socket
import sys
import threading
import time
import types
import uuid

import uvicorn

from agent_runtime import main as handler

NOTED = ("socket.connect", "socket.gethostname", "socket.getaddrinfo", "subprocess.Popen", "os.fork", "os.forkpty")
STATE_PATH = "/state"

_PR_SET_PDEATHSIG = 1
_noted: list[list[str]] = []
_serve = uvicorn.Server.serve


def main():
    """Starts the handler as AgentCore does, and waits for orders beside it."""
    sys.addaudithook(_note)
    uvicorn.Server.serve = _serve_and_obey
    handler.main()


@contextlib.contextmanager
def _all_in_sight():
    """Lets the collector's lists show what it was told never to look at again, and collects nothing meanwhile."""
    is_frozen = gc.get_freeze_count() > 0
    gc.disable()
    gc.unfreeze()
    try:
        yield
    finally:
        if is_frozen:
            gc.freeze()
        gc.enable()


def state():
    """What the process holds that a snapshot would freeze."""
    with _all_in_sight():
        return _state(gc.get_objects())


def _state(things):
    kinds = {kind: _name_of(kind) for kind in {*map(type, things)}}
    return {
        # Made by the start: as long as it is in sight, so is whatever else the start left.
        "agents": sum(kinds[type(one)] == "agent_runtime.invocation.AgentService" for one in things),
        "random": hashlib.sha256(repr(random.getstate()).encode()).hexdigest(),
        "generators": sorted(_keeper(one) for one in things if type(one) is random.Random and one is not random._inst),
        "threads": [thread.name for thread in threading.enumerate()],
        "clients": sorted(kind for one in things for kind in [kinds[type(one)]] if _is_client(kind)),
        "default_session": _default_session(),
        "node": uuid._node,
        "noted": [*_noted],
    }


@functools.cache
def _is_client(kind):
    return bool(_CLIENT.match(kind))


_CLIENT = re.compile(
    r"(anthropic|boto3|botocore|google|httpcore|httpx2?|litellm|openai|urllib3)\."
    r".*\.(BaseClient|\w*Session|\w*Credentials|(Async)?Client|(Async)?(OpenAI|Anthropic)|\w*ConnectionPool)$"
)


def _default_session():
    boto3 = sys.modules.get("boto3")
    return bool(boto3 and boto3.DEFAULT_SESSION)


def _keeper(thing):
    """Who keeps a thing: an object, or a function as a default argument."""
    for keeper in gc.get_referrers(thing):
        for one in gc.get_referrers(keeper) if isinstance(keeper, dict | tuple) else [keeper]:
            if isinstance(one, types.FunctionType):
                return f"{one.__module__}.{one.__qualname__}"
            if type(one).__module__ != "builtins":
                return _name_of(type(one))
    return _name_of(type(thing))


def _name_of(kind):
    return f"{kind.__module__}.{kind.__qualname__}"


def _note(event, arguments):
    if event in NOTED:
        _noted.append([event, repr(arguments[1:] if event == "socket.connect" else arguments)])


async def _serve_and_obey(server, sockets=None):
    orders = sys.stdin.fileno()
    loop = asyncio.get_running_loop()
    server.config.app = _telling_its_state(server.config.app)

    def obey():
        line = os.read(orders, 65536)
        if not line:
            loop.remove_reader(orders)
            return
        order = json.loads(line)
        answer = state() if order["ask"] == "state" else _copy(loop, orders, order)
        if answer:
            os.write(int(sys.argv[1]), json.dumps(answer).encode() + b"\n")

    loop.add_reader(orders, obey)
    await _serve(server, sockets)


def _telling_its_state(app):
    async def told(scope, receive, send):
        if scope["type"] != "http" or scope["path"] != STATE_PATH:
            await app(scope, receive, send)
            return
        body = json.dumps(state()).encode()
        head = [(b"content-length", str(len(body)).encode()), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body})

    return told


def _copy(loop, orders, order):
    """Makes a copy. In this process it gives where the copy listens; in the copy, nothing."""
    reading, writing = os.pipe()
    # Not os.fork, and holding the interpreter's lock: see the head of this file.
    libc = ctypes.PyDLL(None)
    pid = libc.fork()
    if pid == 0:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        asyncio._set_running_loop(loop)
        port = _part_from_the_parent(loop, orders)
        _put_clocks_forward(order["wall"], order["monotonic"])
        os.write(writing, str(port).encode())
    else:
        port = int(os.read(reading, 64))
    os.close(reading)
    os.close(writing)
    return {"pid": pid, "port": port} if pid else None


def _part_from_the_parent(loop, orders):
    """Gives the copy its own listener, epoll and wake-up pair, under the numbers that the loop knows."""
    selector = loop._selector
    # First of all: what is registered from here on is registered for the copy alone.
    _replace(selector, select.epoll())
    waking, waker = socket.socketpair()
    waking.setblocking(False)
    waker.setblocking(False)
    _replace(loop._ssock, waking)
    _replace(loop._csock, waker)
    (listening,) = selector.get_map().keys() - {orders, loop._ssock.fileno()}
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    port = listener.getsockname()[1]
    os.dup2(listener.fileno(), listening)
    listener.close()
    for number in selector.get_map():
        selector._selector.register(number, select.EPOLLIN)
    loop.remove_reader(orders)
    return port


def _replace(known, fresh):
    os.dup2(fresh.fileno(), known.fileno())
    fresh.close()


class _Ahead:
    """A clock that is ahead of another."""

    __slots__ = ("_by", "_clock")

    def __init__(self, clock, by):
        self._clock = clock
        self._by = by

    def __call__(self):
        return self._clock() + self._by


def _put_clocks_forward(wall, monotonic):
    """Puts the clocks forward for whoever holds one of them, wherever: a default argument, an object, a closure."""
    by = {"time": wall, "monotonic": monotonic, "perf_counter": monotonic}
    for name, seconds in by.items():
        for clock, change in ((name, seconds), (f"{name}_ns", int(seconds * 1e9))):
            _replace_everywhere(getattr(time, clock), _Ahead(getattr(time, clock), change))
    _put_calendar_forward(wall)


def _replace_everywhere(known, other):
    with _all_in_sight():
        _replace_in_all_holders(known, other)


def _replace_in_all_holders(known, other):
    for holder in gc.get_referrers(known):
        if isinstance(holder, types.CellType):
            holder.cell_contents = other
        elif isinstance(holder, tuple):
            for function in gc.get_referrers(holder):
                if isinstance(function, types.FunctionType) and function.__defaults__ is holder:
                    function.__defaults__ = _with(holder, known, other)
        elif isinstance(holder, dict):
            holder.update(zip(holder, _with(holder.values(), known, other), strict=True))
        elif not isinstance(holder, _Ahead | types.FrameType) and hasattr(holder, "__dict__"):
            members = vars(holder)
            members.update(zip(members, _with(members.values(), known, other), strict=True))


def _with(values, known, other):
    return tuple(other if value is known else value for value in values)


def _put_calendar_forward(wall):
    real, by = datetime.datetime, datetime.timedelta(seconds=wall)

    class Calendar(type):
        def __instancecheck__(cls, thing):
            return isinstance(thing, real)

    class Later(real, metaclass=Calendar):
        @classmethod
        def now(cls, tz=None):
            return real.now(tz) + by

        @classmethod
        def utcnow(cls):
            return real.now(datetime.UTC).replace(tzinfo=None) + by

    for module in [*sys.modules.values()]:
        for name in [name for name, value in [*vars(module).items()] if value is real]:
            setattr(module, name, Later)


if __name__ == "__main__":
    main()
