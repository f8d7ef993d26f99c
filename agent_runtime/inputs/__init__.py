"""What a caller asks, in the shapes that callers send.

    prompt.py     the payload: which shape it is, and what it says
    messages.py   a list of messages: its order, and tool calls with their results
    blocks.py     Strands' content blocks, which are those of Amazon Bedrock's Converse API
    openai.py     OpenAI's content parts and tool calls, made into content blocks
    media.py      images and documents: formats, sizes, and what their bytes are
    place.py      where in the payload something stands, for messages such as `messages[2].content[0].image.format`

Everything wrong is a `BadRequestError` that names its place. Nothing is fetched: an address in a payload would make the
agent ask whatever the caller names, with the agent's own network and role.
"""

from agent_runtime.inputs.prompt import Prompt

__all__ = ["Prompt"]
