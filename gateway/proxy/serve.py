"""Serves the proxy with uvicorn: `python3 -m gateway.proxy.serve --config config.yaml --port 4000 ...`.

`litellm` itself would serve it with uvicorn too, but reads HTTP by h11, which is slower than httptools, and with more
workers than one keeps another LiteLLM in a parent process that serves nobody.
"""

from __future__ import annotations

import argparse
import importlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import uvicorn

CONFIG = "STRANDLINE_GATEWAY_CONFIG"
"""Tells the workers where the compiled configuration lies."""


def load_application() -> Any:
    """Gives the application, set up by LiteLLM; in a thread, because a worker loads it when its loop runs already.

    Returns:
        LiteLLM's ASGI application.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(importlib.import_module, "gateway.proxy.application").result().app


def main() -> None:
    """Serves until it is told to end, and then what is in flight."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the compiled config.yaml")
    everywhere = "0.0.0.0"  # noqa: S104 - a container's
    parser.add_argument("--host", default=os.environ.get("HOST", everywhere), help="address to listen on")
    parser.add_argument("--port", type=int, required=True, help="port to listen on")
    parser.add_argument("--workers", type=int, required=True, help="processes")
    parser.add_argument("--keep-alive", type=int, required=True, help="seconds that an idle connection is kept")
    parser.add_argument("--drain", type=int, required=True, help="most seconds for what is in flight at the end")
    options = parser.parse_args()
    os.environ[CONFIG] = str(options.config.resolve())
    uvicorn.run(
        "gateway.proxy.serve:load_application",
        factory=True,
        host=options.host,
        port=options.port,
        workers=options.workers,
        timeout_keep_alive=options.keep_alive,
        timeout_graceful_shutdown=options.drain,
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
