"""Run as `python -m emulator SETTINGS`, by the controller."""

import faulthandler
import os
import signal
import sys
from pathlib import Path

from .settings import Settings


def main() -> int:
    """Prepare the environment that MiniStack reads at import, then serve."""
    settings = Settings.from_file(Path(sys.argv[1]))
    # `kill -USR1` writes every thread's stack to the log: how one finds what a deploy waits for.
    faulthandler.register(signal.SIGUSR1)
    os.environ.pop("PYTHONPATH", None)
    os.environ.update(settings.ministack_environment())
    from .server import serve  # MiniStack reads its environment when it is imported

    return serve(settings)


sys.exit(main())
