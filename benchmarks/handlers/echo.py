"""The least that AgentCore's SDK can serve: the floor of every handler that is built on it."""

import os
from collections.abc import AsyncIterator
from typing import Any

from bedrock_agentcore import BedrockAgentCoreApp

app = BedrockAgentCoreApp()


@app.entrypoint
async def invoke(payload: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    """Sends the prompt back."""
    yield {"event": {"contentBlockDelta": {"delta": {"text": payload["prompt"]}}}}


if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]), host="127.0.0.1")
