"""The entry point of the code artefact: AgentCore starts this file at the root of the zip."""

from agent_runtime.server import serve

if __name__ == "__main__":
    serve()
