"""The schema for editors and the page for people say what the models say, and nothing else."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from agent_runtime.blueprint import Blueprint
from agent_runtime.errors import InputError
from agent_runtime.later import LATER_FIELDS
from agent_runtime.loader import load_document
from agent_runtime.references import References
from agent_runtime.validation import validate
from agent_runtime.yaml_reader import parse_yaml
from strandline.blueprint_docs import END, START, with_tables
from strandline.blueprint_schema import blueprint_schema, blueprint_schema_text

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "blueprint.md"
SCHEMA = blueprint_schema()
EDITOR = Draft202012Validator(SCHEMA)
AGAIN = "run `make docs`"


def test_the_schema_in_the_repository_is_that_of_the_models():
    assert (REPOSITORY / "blueprints" / "schema.json").read_text() == blueprint_schema_text(), AGAIN


def test_the_page_holds_the_tables_of_the_models():
    page = PAGE.read_text()
    assert page.count(START) == page.count(END) == 1
    assert page == with_tables(page), AGAIN


def test_the_schema_is_one():
    Draft202012Validator.check_schema(SCHEMA)


def models(model: type[BaseModel] = Blueprint) -> set[type[BaseModel]]:
    found = {model}
    for field in model.model_fields.values():
        for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(part, type) and issubclass(part, BaseModel):
                found |= models(part)
    return found


def test_every_field_of_every_model_is_in_the_schema_and_every_key_of_the_schema_is_a_field():
    definitions = {"Blueprint": SCHEMA, **SCHEMA["$defs"]}
    for model in models():
        described = definitions[model.__name__]
        assert set(described["properties"]) == set(model.model_fields)
        assert described["additionalProperties"] is False
        assert set(described.get("required", ())) == {
            name for name, field in model.model_fields.items() if field.is_required()
        }
    whole = {name for name in definitions if not name.endswith("Overlay")} - {"JsonValue"}
    assert whole == {model.__name__ for model in models()}


def test_an_overlay_may_say_all_but_two_fields_and_need_not_say_any():
    overlay = SCHEMA["$defs"]["Overlay"]
    assert set(overlay["properties"]) == set(Blueprint.model_fields) - {"id", "environments"}
    partial = [value for name, value in SCHEMA["$defs"].items() if name.endswith("Overlay")]
    assert len(partial) >= 8
    assert all("required" not in value for value in partial)


def test_every_field_is_on_the_page_with_type_default_and_example():
    rows = [line for line in PAGE.read_text().split(START)[1].splitlines() if line.startswith("| `")]
    fields = [row for row in rows if row.count(" | ") >= 4]
    assert len(fields) == sum(len(model.model_fields) for model in models())
    for row in fields:
        cells = [cell.strip() for cell in row.replace("\\|", "/").strip("|").split(" | ")]
        assert len(cells) == 5, row
        assert all(cells), row
    assert len(rows) - len(fields) == len(LATER_FIELDS)


def examples() -> list[tuple[str, str, Any]]:
    return [
        (model.__name__, name, field.examples[0])
        for model in sorted(models(), key=lambda model: model.__name__)
        for name, field in model.model_fields.items()
        if (model, name) != (Blueprint, "model")  # its sample is an outline
    ]


@pytest.mark.parametrize(("model", "name", "example"), examples())
def test_every_example_is_valid(model, name, example):
    value = yaml.safe_load(example) if isinstance(example, str) and example[:1] in "{[" else example
    described = SCHEMA if model == "Blueprint" else SCHEMA["$defs"][model]
    checker = Draft202012Validator({"$defs": SCHEMA["$defs"], **described["properties"][name]})
    assert checker.is_valid(value), list(checker.iter_errors(value))


def documents_of_the_page() -> list[str]:
    return [part.split("```")[0] for part in PAGE.read_text().split("```yaml\n")[1:]]


@pytest.mark.parametrize(
    "text",
    [
        *documents_of_the_page(),
        *(path.read_text() for path in sorted((REPOSITORY / "blueprints/agents").glob("*.yaml"))),
    ],
)
def test_what_we_show_is_accepted_by_the_loader_and_by_editors(text):
    assert validate(Blueprint, parse_yaml(text.encode(), "f.yaml"), later=LATER_FIELDS)
    assert EDITOR.is_valid(parse_yaml(text.encode(), "f.yaml").data())
    assert text.startswith("# yaml-language-server: $schema=../schema.json\n")


FULL = {**parse_yaml(documents_of_the_page()[0].encode(), "f.yaml").data(), "prompt_ref": "hello"}
del FULL["output_schema"]


def load(document: dict[str, Any]) -> Blueprint:
    read = parse_yaml(json.dumps(document).encode(), "f.yaml")
    return load_document(read, References(REPOSITORY / "blueprints")).blueprint


def test_the_document_that_is_spoilt_below_is_valid_before():
    assert EDITOR.is_valid(FULL)
    assert load(FULL)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("colour",), "red"),
        (("model", "temperatur"), 1),
        (("model", "temperature"), 3),
        (("model", "temperature"), "0.2"),
        (("model", "provider"), "litelm"),
        (("model", "api_key_env"), "key"),
        (("model", "extra_headers_env"), {"a b": "KEY"}),
        (("model", "extra_headers_env"), {"X-A": "key"}),
        (("version",), "1.0"),
        (("tags",), "a"),
        (("runtime", "port"), 9001),
        (("environments", "prod"), {}),
        (("environments", "production", "id"), "other"),
        (("environments", "production", "model", "temperatur"), 1),
        (("tools",), [{"pyton": "a:b"}]),
        (("id",), None),
    ],
)
def test_editors_and_the_loader_refuse_alike(path, value):
    document = copy.deepcopy(FULL)
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert not EDITOR.is_valid(document)
    with pytest.raises(InputError):
        load(document)
