"""Serves the proxy with Granian: `python3 -m gateway.proxy.serve --config config.yaml --port 4000 ...`.

`litellm` itself would serve with uvicorn on h11, which answers a tenth fewer requests, or with Granian under a parent
process that holds a second LiteLLM and closes kept connections before the load balancer does.
This parent imports no LiteLLM; each worker has it set itself up (`gateway.proxy.application`).
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from granian import Granian
from granian.constants import Interfaces
from granian.http import HTTP1Settings

CONFIG = "STRANDLINE_GATEWAY_CONFIG"
"""Tells the workers where the compiled configuration lies."""


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
    Granian(
        "gateway.proxy.application:app",
        address=options.host,
        port=options.port,
        interface=Interfaces.ASGI,
        workers=options.workers,
        workers_kill_timeout=options.drain,
        # A worker that cannot start would be started again for ever; ECS knows better what to do.
        respawn_failed_workers=False,
        http1_settings=HTTP1Settings(header_read_timeout=options.keep_alive * 1000),
        log_access=False,
    ).serve()


if __name__ == "__main__":
    main()
