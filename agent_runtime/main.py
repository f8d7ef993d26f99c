"""The entry point of the code artefact: AgentCore starts this file at the root of the zip."""

import gc
import sys


def main() -> None:
    """Starts the handler; looking for garbage, of which a start makes none, would take an eighth of its time."""
    gc.disable()
    from agent_runtime.packed_bytecode import install

    install(sys.path[0])
    from agent_runtime.server import serve

    serve()


if __name__ == "__main__":
    main()
