"""The files that a blueprint names: its prompt, the schemas of its answers, the user's code of its tools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent_runtime.errors import InputError, Problem
from agent_runtime.output_schemas import OutputSchema, SchemaFolder, is_class_reference
from agent_runtime.prompts import Prompt, PromptFolder
from agent_runtime.source_check import UserSources

if TYPE_CHECKING:
    from pathlib import Path

    from agent_runtime.blueprint import Blueprint
    from agent_runtime.yaml_nodes import Document
    from agent_runtime.yaml_nodes import Path as NodePath

PROMPTS = "prompts"
SCHEMAS = "schemas"

_PROMPT_PATH = ("prompt_ref",)
_SCHEMA_PATH = ("output_schema",)


class References:
    """Reads what blueprints name, each file once in a run.

    Args:
        root: The blueprints folder, which holds `prompts`, `schemas` and `tools`.
    """

    def __init__(self, root: Path) -> None:
        self._prompts = PromptFolder(root / PROMPTS)
        self._schemas = SchemaFolder(root / SCHEMAS)
        self._sources = UserSources(root)

    def read(self, blueprint: Blueprint, document: Document) -> tuple[Prompt, dict[str, OutputSchema]]:
        """Read what a blueprint names.

        Args:
            blueprint: The blueprint.
            document: Its file, which an error points at.

        Returns:
            The prompt, and the schemas by name; a schema that is a class in the user's code is not among them.

        Raises:
            InputError: A file is missing or wrong; carries every problem of every file.
        """
        problems: list[Problem | str] = []
        prompt: Prompt | None = None
        schemas: dict[str, OutputSchema] = {}
        try:
            prompt = self._prompts.read(blueprint.prompt_ref, document)
        except InputError as error:
            problems += error.problems
        for name, path in _schema_names(blueprint):
            try:
                schemas[name] = self._schemas.read(name, document, path)
            except InputError as error:
                problems += error.problems
        if blueprint.output_schema in schemas:
            problems += _not_shown(blueprint, schemas[blueprint.output_schema], document)
        problems += self._sources.problems(blueprint, document)
        if problems or prompt is None:
            raise InputError(*problems)
        return prompt, schemas

    def problems_of(self, document: Document, error: InputError) -> tuple[Problem | str, ...]:
        """Look for the files of a blueprint that is at fault elsewhere: one run shows everything."""
        wrong = {problem.path for problem in error.problems if isinstance(problem, Problem)}
        problems: list[Problem | str] = []
        prompt, schema = document.text_at(*_PROMPT_PATH), document.text_at(*_SCHEMA_PATH)
        try:
            if prompt is not None and "prompt_ref" not in wrong:
                self._prompts.read(prompt, document)
        except InputError as missing:
            problems += missing.problems
        try:
            if schema is not None and "output_schema" not in wrong and not is_class_reference(schema):
                self._schemas.read(schema, document, _SCHEMA_PATH)
        except InputError as missing:
            problems += missing.problems
        return tuple(problems)


def _schema_names(blueprint: Blueprint) -> Iterator[tuple[str, NodePath]]:
    named: list[tuple[str | None, NodePath]] = [(blueprint.output_schema, _SCHEMA_PATH)]
    named += [(check.output_schema, ("checks", index, "output_schema")) for index, check in enumerate(blueprint.checks)]
    for name, path in named:
        if name and not is_class_reference(name):
            yield name, path


def _not_shown(blueprint: Blueprint, schema: OutputSchema, document: Document) -> Iterator[Problem]:
    # Here, so that agents without a schema do without what writes it.
    from agent_runtime.structured_output.dialects import NotShownError, dialect_of, shown_in

    try:
        shown_in(dialect_of(blueprint.model), schema.schema)
    except NotShownError as fault:
        message = f"the schema {schema.name} cannot be shown to {blueprint.model.model_id}: {fault.message}"
        yield document.problem(_SCHEMA_PATH, message, fault.hint)
