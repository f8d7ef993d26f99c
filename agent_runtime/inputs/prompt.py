"""The payload of an invocation: which shape it is, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_runtime.inputs.blocks import read_content
from agent_runtime.inputs.messages import read_messages
from agent_runtime.inputs.place import Place

if TYPE_CHECKING:
    from strands.types.content import Messages

_SHAPES = ("content", "input", "messages", "prompt")
# Of "Create chat completion": what would make the answer another thing than the agent's.
_NOT_OF_AN_AGENT = {
    "tools": "the agent's tools are those of its blueprint, callers bring none",
    "functions": "the agent's tools are those of its blueprint, callers bring none",
    "response_format": "the form of the agent's answers is its blueprint's output_schema",
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the caller asks.

    Attributes:
        messages: The question, last; before it the conversation so far, if the caller tells it.
        stream: The payload's own wish for a stream; `None` leaves it to the `Accept` header.
    """

    messages: Messages
    stream: bool | None = None

    @property
    def tells_conversation(self) -> bool:
        """Whether the caller tells the conversation so far, instead of going on with the session's."""
        return len(self.messages) > 1

    @classmethod
    def of_text(cls, text: str, *, stream: bool | None = None) -> Prompt:
        """Makes a prompt of a text.

        Args:
            text: What the user says.
            stream: Whether the answer is to be streamed.

        Returns:
            The prompt.

        Raises:
            BadRequestError: The text is empty, too long, or holds what is no character.
        """
        return cls([{"role": "user", "content": read_content(Place("prompt", text))}], stream)

    @classmethod
    def from_payload(cls, payload: object) -> Prompt:
        """Reads the payload of `/invocations`; `docs/invocations.md` describes the shapes.

        Args:
            payload: The decoded JSON.

        Returns:
            The prompt.

        Raises:
            BadRequestError: The payload is none that the agent takes.
        """
        whole = Place("", payload)
        if not isinstance(payload, dict):
            whole.refuse('must be a JSON object such as {"prompt": "Hello"}.')
        stream = payload.get("stream")
        if stream is not None and not isinstance(stream, bool):
            whole.member("stream").refuse("must be true or false.")
        return cls(_messages(whole), stream)


def _messages(whole: Place) -> Messages:
    shapes = [name for name in _SHAPES if whole.has(name)]
    if shapes == ["content", "prompt"]:
        # LiteLLM's bedrock/agentcore route with forward_multimodal_content: `prompt` repeats the texts of `content`.
        shapes = ["content"]
    if len(shapes) != 1:
        whole.refuse(f"needs one of {', '.join(_SHAPES)}; it has {' and '.join(shapes) or 'none of them'}.")
    (shape,) = shapes
    place = whole.member(shape)
    if shape == "messages":
        _refuse_members(whole)
        return read_messages(place)
    if shape == "input":
        # Strands' guide "Python Deployment to Amazon Bedrock AgentCore Runtime", option B: {"input": {"prompt": ...}}.
        return _messages(Place(place.path, {**place.object(), "input": None}))
    content = read_content(place)
    if any("toolResult" in block for block in content):
        place.refuse("holds a toolResult: a result belongs into messages, after its call.")
    return [{"role": "user", "content": content}]


def _refuse_members(whole: Place) -> None:
    for name, why in _NOT_OF_AN_AGENT.items():
        member = whole.member(name)
        if member.value and member.value != {"type": "text"}:
            member.refuse(f"is not taken: {why}.")
    count = whole.member("n")
    if count.value not in (None, 1):
        count.refuse("must be 1: an agent gives one answer.")
