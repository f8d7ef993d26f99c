"""The handler that people write by hand, after the Strands and AgentCore documentation: LiteLLM in front of a proxy."""

import os
from collections.abc import AsyncIterator
from typing import Any

from bedrock_agentcore import BedrockAgentCoreApp
from strands import Agent
from strands.models.litellm import LiteLLMModel

app = BedrockAgentCoreApp()
model = LiteLLMModel(
    client_args={
        "api_key": os.environ["BENCH_KEY"],
        "api_base": os.environ["BENCH_URL"],
        "custom_llm_provider": "openai",
    },
    model_id="bench",
    params={"temperature": 0.2, "max_tokens": 200},
)
agent = Agent(model=model, system_prompt="You know the tides.", callback_handler=None)


@app.entrypoint
async def invoke(payload: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    """Streams the agent's answer."""
    async for event in agent.stream_async(payload["prompt"]):
        if "event" in event:
            yield event


if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]), host="127.0.0.1")
