"""Writes down where a process connects to, and what names it looks up: on its PYTHONPATH, Python imports it first.

Python tells its audit hooks of every socket that is opened through it. uvloop opens its own, out of sight, so that
asyncio's loop takes its place; no other library of the proxy or the handler connects by itself.
"""

import asyncio
import os
import sys
import types

_FILE = os.open(os.environ["SOCKET_AUDIT"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
_NOTED = {"socket.connect": 1, "socket.sendto": 1, "socket.getaddrinfo": 0, "socket.gethostbyname": 0}


def _note(event, arguments):
    if event in _NOTED:
        address = arguments[_NOTED[event]]
        host = address[0] if isinstance(address, tuple) else address
        os.write(_FILE, host + b"\n" if isinstance(host, bytes) else f"{host}\n".encode())


sys.addaudithook(_note)

_loop = types.ModuleType("uvloop")
_loop.Loop = asyncio.SelectorEventLoop
_loop.new_event_loop = asyncio.new_event_loop
_loop.EventLoopPolicy = asyncio.DefaultEventLoopPolicy
_loop.install = lambda: None
sys.modules["uvloop"] = _loop
