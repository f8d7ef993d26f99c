"""Answers that fit a schema: the blueprint's `output_schema`.

    schemas.py      from a JSON Schema file or a pydantic class to an `AnswerSchema`
    json_schema.py  holds an answer to a JSON Schema 2020-12, formats included
    formats.py      the formats that `jsonschema` leaves to other packages
    faults.py       what does not fit, for the model in full and for everybody else without the answer's content
    dialects.py     the schema as each provider's API takes it
    inlining.py     a schema with what its references name in their places
    forcing.py      hands the schema to Strands, which makes the model answer by a tool

The model is shown the user's own schema where its API takes that, and its answer is always held to that schema.
"""

from agent_runtime.structured_output.faults import StructuredOutputError
from agent_runtime.structured_output.forcing import Ending, StructuredOutput, build_structured_output
from agent_runtime.structured_output.schemas import AnswerSchema, schema_of_class, schema_of_json

__all__ = [
    "AnswerSchema",
    "Ending",
    "StructuredOutput",
    "StructuredOutputError",
    "build_structured_output",
    "schema_of_class",
    "schema_of_json",
]
