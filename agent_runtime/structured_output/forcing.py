"""Hands a schema to Strands, which offers the model a tool to answer by and insists on it when the model does not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ValidationError

from agent_runtime.errors import InputError
from agent_runtime.output_schemas import is_class_reference
from agent_runtime.structured_output.dialects import NotShownError, Shown, dialect_of, shown_in
from agent_runtime.structured_output.faults import StructuredOutputError, member_names, reasons
from agent_runtime.structured_output.schemas import AnswerSchema, schema_of_class, schema_of_json
from agent_runtime.user_code import USER_CODE, load_object

if TYPE_CHECKING:
    from pathlib import Path

    from strands import Agent
    from strands.middleware.stages import InvokeModelContext
    from strands.types.content import Messages
    from strands.types.exceptions import StructuredOutputException

    from agent_runtime.bundle import BundledAgent

_ENDINGS = {
    "max_tokens": "it was cut off at the blueprint's model.max_tokens",
    "limit_turns": "the calls of the blueprint's runtime.max_iterations were used up",
    "content_filtered": "the provider's filter withheld it",
    "guardrail_intervened": "the guardrail withheld it",
}


@dataclass(frozen=True, slots=True)
class Ending:
    """How an agent came to its end.

    Attributes:
        stop_reason: Strands' word for it.
        error: What Strands raised when the model did not answer by the schema even when it was forced to.
    """

    stop_reason: str
    error: StructuredOutputException | None = None


class Answer(BaseModel):
    """An answer that fits; Strands makes one of what the model sends. Its subclasses carry the schema."""

    answer_schema: ClassVar[AnswerSchema]
    shown: ClassVar[Shown]
    answer: Any

    def __init__(self, /, **sent: Any) -> None:
        super().__init__(answer=self.answer_schema.check(sent))

    @classmethod
    def model_json_schema(cls, *_: Any, **__: Any) -> dict[str, Any]:
        """Gives the schema that the model is shown: some providers constrain the model by it."""
        return dict(cls.shown.schema)


class StructuredOutput:
    """One agent's schema, for all of its sessions.

    Args:
        schema: The schema.
        shown: The schema as the model is shown it; as it is when left out.
    """

    def __init__(self, schema: AnswerSchema, shown: Shown | None = None) -> None:
        self.schema = schema
        self._shown = shown or Shown(schema.schema)
        self._known = member_names(schema.schema)

    @cached_property
    def model(self) -> type[Answer]:
        """The class that Strands takes as `structured_output_model`."""
        from strands.tools.structured_output import structured_output_tool

        members = {
            **{"__doc__": self.schema.description, "__module__": __name__},
            **{"answer_schema": self.schema, "shown": self._shown},
        }
        model: type[Answer] = type(self.schema.name, (Answer,), members)
        # Strands would flatten the schema (no recursion, every optional member nullable); it looks here first.
        structured_output_tool._TOOL_SPEC_CACHE[model] = {
            "name": self.schema.name,
            "description": " ".join(filter(None, (self.schema.description, self._shown.words))),
            "inputSchema": {"json": dict(self._shown.schema)},
        }
        return model

    @property
    def told(self) -> dict[str, str]:
        """What an answer says of the schema that it fits."""
        return {"name": self.schema.name, "sha256": self.schema.sha256}

    def attach(self, agent: Agent) -> None:
        """Makes an agent show its model the schema as it is; Strands fills in types and descriptions otherwise."""
        from strands.middleware import InvokeModelStage

        agent.add_middleware(InvokeModelStage.Input, self._with_own_schema)

    def result(self, agent: Agent, answer: object, ending: Ending) -> Any:
        """Gives the answer as plain JSON.

        Args:
            agent: The agent that answered.
            answer: What Strands calls `structured_output`.
            ending: How the agent came to its end.

        Returns:
            The answer.

        Raises:
            StructuredOutputError: There is none.
        """
        if isinstance(answer, Answer):
            return answer.answer
        why = _ENDINGS.get(ending.stop_reason, f"it ended with {ending.stop_reason or 'no reason'}")
        if ending.error is not None:
            why = self._refused_text(ending.error)
        fault = self._last_fault(agent.messages)
        last = f"; its last try: {fault}" if fault else ""
        raise StructuredOutputError(
            f"The model gave no answer that fits the schema {self.schema.name}: {why}{last}."
        ) from ending.error

    def _refused_text(self, error: StructuredOutputException) -> str:
        if isinstance(error.__cause__, ValidationError):
            return reasons(error.__cause__, self._known)
        return "it answered with text that is no JSON object, also when it was told to use the schema"

    def _last_fault(self, messages: Messages) -> str | None:
        uses = [block["toolUse"] for message in messages for block in message["content"] if "toolUse" in block]
        tries = [use["input"] for use in uses if use["name"] == self.schema.name]
        if not tries:
            return None
        try:
            self.schema.check(tries[-1])
        except ValidationError as error:
            return reasons(error, self._known)
        except Exception as error:
            return f"the schema's own check fails ({type(error).__name__})"
        return None

    def _with_own_schema(self, context: InvokeModelContext) -> InvokeModelContext:
        own = {"json": dict(self._shown.schema)}
        specs = [
            {**spec, "inputSchema": own} if spec["name"] == self.schema.name else spec for spec in context.tool_specs
        ]
        return context.replace(tool_specs=specs)  # type: ignore[arg-type]


def build_structured_output(agent: BundledAgent, folder: Path = USER_CODE) -> StructuredOutput | None:
    """Builds what makes an agent answer by its blueprint's `output_schema`.

    Args:
        agent: The agent.
        folder: Where the user's code lies.

    Returns:
        The schema at work; nothing when the blueprint names none.

    Raises:
        InputError: The schema is a class in the user's code, and it is missing or no model of an object; or the
            blueprint's model cannot be shown it.
    """
    name = agent.blueprint.output_schema
    if name is None:
        return None
    if is_class_reference(name):
        schema = schema_of_class(name, load_object(name, folder))
    else:
        schema = schema_of_json(name, agent.schemas[name], agent.schema_hashes[name])
    try:
        return StructuredOutput(schema, shown_in(dialect_of(agent.blueprint.model), schema.schema))
    except NotShownError as fault:
        raise InputError(
            f"output_schema {name} cannot be shown to the model: {fault.message} ({fault.hint})."
        ) from None
