"""The proxy as an ASGI application, for a server of our own: `litellm` does all of its set-up but for its server's."""

from __future__ import annotations

import ctypes
import gc
import os

# Importing LiteLLM makes a million objects, of which nearly none goes again: to look for those that do takes a fifth of
# the start.
gc.disable()

from litellm.proxy.proxy_cli import run_server  # noqa: E402 - with no collection meanwhile

from gateway.proxy.next_master_key import take_next_master_key  # noqa: E402
from gateway.proxy.serve import CONFIG  # noqa: E402

run_server.main(["--config", os.environ[CONFIG], "--skip_server_startup"], standalone_mode=False)

from litellm.proxy import proxy_server  # noqa: E402 - it reads what the set-up leaves in the environment

app = take_next_master_key(proxy_server.app)

# These objects stay: each full collection would look at them all, and every request wait for it, a tenth of a second
# and more. Young objects are looked at in larger lots: a request makes thousands.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 20, 20)
gc.enable()
# What the start freed goes back to the system ("malloc_trim", Linux manual pages); only glibc has it.
if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
    trim(0)
