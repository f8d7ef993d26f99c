"""A message of another agent becomes a task, and the agent's answer the task's artifact."""

from __future__ import annotations

import base64
import json
import uuid
from collections import OrderedDict
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from a2a.helpers.proto_helpers import get_data_parts, new_data_part, new_message, new_task, new_text_part
from a2a.server.agent_execution import AgentExecutor
from a2a.server.agent_execution.active_task import TERMINAL_TASK_STATES
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import TaskState
from a2a.utils.errors import InvalidParamsError

from agent_runtime.conversations import MAXIMUM_CONVERSATIONS
from agent_runtime.failures import BadRequestError, failure_of
from agent_runtime.inputs import Prompt
from agent_runtime.inputs.blocks import read_content
from agent_runtime.inputs.place import Place
from agent_runtime.protocols.answers import ANSWER, ERROR, facts_of, text_of, whole_characters

if TYPE_CHECKING:
    from a2a.server.agent_execution import RequestContext
    from a2a.server.context import ServerCallContext
    from a2a.server.events import EventQueue
    from a2a.types import Message, Part, Task

    from agent_runtime.caller import Caller
    from agent_runtime.failures import Failure
    from agent_runtime.health import Health
    from agent_runtime.invocation import AgentService

CALLER = "caller"
"""Member of the call's state: who asks."""

_STREAMING = ("SendStreamingMessage", "message/stream")
_JSON = "application/json"
_ARTIFACT = "answer"
# The SDK copies the whole task at each chunk, so chunks are not as small as a model's.
_CHUNK_CHARACTERS = 80
_HIGH_SURROGATES = range(0xD800, 0xDC00)


class AgentTasks(AgentExecutor):
    """Works on the tasks.

    Args:
        service: The agent.
        health: Told when there is work; a task may go on when its caller has left.
    """

    def __init__(self, service: AgentService, health: Health) -> None:
        self._service = service
        self._health = health

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Works on one message.

        Args:
            context: The message.
            event_queue: Takes what becomes of the task.

        Raises:
            InvalidParamsError: The message is none that the agent takes.
        """
        message = cast("Message", context.message)
        updater = TaskUpdater(event_queue, str(context.task_id), str(context.context_id))
        with self._health.working():
            try:
                prompt = Prompt([{"role": "user", "content": read_content(Place("parts", _content(message)))}])
            except BadRequestError as error:
                raise refusal(error) from None
            await event_queue.enqueue_event(
                new_task(
                    updater.task_id,
                    updater.context_id,
                    TaskState.TASK_STATE_SUBMITTED,
                    history=[_without_files(message)],
                )
            )
            await updater.start_work()
            try:
                answer = await self._work(prompt, context, updater)
            except Exception as error:
                await _fail(updater, failure_of(error))
            else:
                await updater.update_status(TaskState.TASK_STATE_COMPLETED, metadata={ANSWER: facts_of(answer)})

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Ends a task; the SDK cancels `execute`, which ends the agent and takes its turn back.

        Args:
            context: Names the task.
            event_queue: Takes what becomes of the task.
        """
        await TaskUpdater(event_queue, str(context.task_id), str(context.context_id)).cancel()

    async def _work(self, prompt: Prompt, context: RequestContext, updater: TaskUpdater) -> dict[str, Any]:
        state = context.call_context.state
        artifact = _Artifact(updater)
        # What a model says on its way to a structured answer is not the answer.
        streams = state.get("method") in _STREAMING and self._service.answer_schema is None
        answer: dict[str, Any] = {}
        caller: Caller = state[CALLER]
        asked = self._service.events(prompt, caller.session_id, user_id=caller.user_id, context_id=updater.context_id)
        async with aclosing(asked) as events:
            async for event in events:
                answer = event
                if streams and "event" in event:
                    await artifact.follow(event["event"])
        answer = whole_characters(answer)
        await artifact.finish(text_of(answer), answer["structured"] if self._service.answer_schema else None)
        return answer


def refusal(error: BadRequestError) -> InvalidParamsError:
    """Makes the error of the protocol for a request that is not taken.

    Args:
        error: What is wrong with it.

    Returns:
        The error.
    """
    failure = failure_of(error)
    return InvalidParamsError(message=failure.message, data={"type": failure.type, "id": failure.id})


class BoundedTaskStore(InMemoryTaskStore):
    """The tasks of this process, by session; the oldest that have ended make room for new ones.

    Args:
        maximum: Tasks that are kept.
    """

    def __init__(self, maximum: int = MAXIMUM_CONVERSATIONS) -> None:
        super().__init__(owner_resolver=lambda context: str(context.state[CALLER].session_id))
        self._maximum = maximum
        self._contexts: OrderedDict[str, ServerCallContext] = OrderedDict()

    async def save(self, task: Task, context: ServerCallContext) -> None:
        """Keeps a task.

        Args:
            task: The task.
            context: Whose it is.
        """
        await super().save(task, context)
        self._contexts[task.id] = context
        if len(self._contexts) > self._maximum:
            await self._evict()

    async def _evict(self) -> None:
        for task_id, context in [*self._contexts.items()]:
            task = await self.get(task_id, context)
            if task is None or task.status.state in TERMINAL_TASK_STATES:
                del self._contexts[task_id]
                if task is not None:
                    await self.delete(task_id, context)
            if len(self._contexts) <= self._maximum:
                return


class _Artifact:
    """The answer on its way to the caller, chunk by chunk.

    The last piece is held back until the end is known, so that it can be marked as the last.
    """

    def __init__(self, updater: TaskUpdater) -> None:
        self._updater = updater
        self._id = str(uuid.uuid4())
        self._sent = ""
        self._waiting = ""

    async def follow(self, happening: dict[str, Any]) -> None:
        """Takes a Converse stream event."""
        if "messageStart" in happening:
            # What was said before the call of a tool is not the answer: the next chunk takes its place.
            self._sent = self._waiting = ""
        piece = happening.get("contentBlockDelta", {}).get("delta", {}).get("text", "")
        if piece and self._is_due():
            await self._send([new_text_part(whole_characters(self._waiting))], append=bool(self._sent))
            self._sent, self._waiting = self._sent + self._waiting, ""
        self._waiting += piece

    async def finish(self, texts: list[str], structured: Any) -> None:
        """Sends the rest of the answer, or all of it where it is not what was sent."""
        if self._sent and texts == [whole_characters(self._sent + self._waiting)]:
            await self._send([new_text_part(whole_characters(self._waiting))], append=True, last_chunk=True)
            return
        parts = [new_text_part(text) for text in texts]
        if structured is not None:
            parts.append(new_data_part(structured, media_type=_JSON))
        if parts:
            await self._send(parts, append=False, last_chunk=True)

    def _is_due(self) -> bool:
        if not self._waiting or ord(self._waiting[-1]) in _HIGH_SURROGATES:
            return False
        return not self._sent or len(self._waiting) >= _CHUNK_CHARACTERS

    async def _send(self, parts: list[Part], *, append: bool, last_chunk: bool = False) -> None:
        await self._updater.add_artifact(
            parts, artifact_id=self._id, name=_ARTIFACT, append=append, last_chunk=last_chunk
        )


async def _fail(updater: TaskUpdater, failure: Failure) -> None:
    text = f"{failure.message} ({failure.type}, id {failure.id})"
    message = new_message([new_text_part(text)], context_id=updater.context_id, task_id=updater.task_id)
    metadata = {ERROR: failure.as_event()["error"]}
    await updater.update_status(TaskState.TASK_STATE_FAILED, message=message, metadata=metadata)


def _without_files(message: Message) -> Message:
    """What a task remembers of its message: the SDK copies the whole task at each event."""
    kept = [
        new_text_part(f"({part.media_type} {part.filename})") if part.WhichOneof("content") == "raw" else part
        for part in message.parts
    ]
    told = type(message)()
    told.CopyFrom(message)
    del told.parts[:]
    told.parts.extend(kept)
    return told


def _content(message: Message) -> str | list[dict[str, Any]]:
    """Gives a message's parts as the payload of an invocation has them.

    Raises:
        BadRequestError: A part is a file by its address.
    """
    blocks = [_block(part, f"parts[{index}]") for index, part in enumerate(message.parts)]
    if all(block["type"] == "text" for block in blocks):
        return "\n".join(block["text"] for block in blocks)
    return blocks


def _block(part: Part, place: str) -> dict[str, Any]:
    kind = part.WhichOneof("content")
    if kind == "text":
        return {"type": "text", "text": part.text}
    if kind == "data":
        (data,) = get_data_parts([part])
        return {"type": "text", "text": json.dumps(_with_integers(data), ensure_ascii=False)}
    if kind != "raw":
        raise BadRequestError(f"{place} is a file by its address: send its bytes, the agent fetches nothing.")
    content = base64.b64encode(part.raw).decode()
    # Without a type it is told by the name.
    url = f"data:{part.media_type};base64,{content}" if part.media_type else content
    if part.media_type.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "file", "file": {"filename": part.filename or "document", "file_data": url}}


def _with_integers(value: Any) -> Any:
    """The SDK keeps every number as a double."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _with_integers(member) for name, member in value.items()}
    return [_with_integers(member) for member in value] if isinstance(value, list) else value
