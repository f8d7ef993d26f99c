"""The schema for editors and the page for people say what the models of gateway.yaml say, and nothing else."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from agent_runtime.errors import InputError
from agent_runtime.validation import validate
from agent_runtime.yaml_reader import parse_yaml
from gateway.scenario_schema import Pace, ProviderFault, Rule, Scenario, TextMatch, ToolCall, ToolResult, Usage, When
from gateway.settings import GatewaySettings
from strandline.blueprint_docs import END, GATEWAY_START, with_tables
from strandline.gateway_schema import gateway_schema, gateway_schema_text
from tests.gateway.documents import EVERYTHING, TWO_MODELS

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "gateway.md").read_text()
SCHEMA = gateway_schema()
EDITOR = Draft202012Validator(SCHEMA)
MODELS: dict[str, Any] = {"GatewaySettings": SCHEMA, **SCHEMA["$defs"]}
AGAIN = "run `make docs`"


def test_the_schema_in_the_repository_is_that_of_the_models():
    Draft202012Validator.check_schema(SCHEMA)
    assert (REPOSITORY / "blueprints" / "gateway.schema.json").read_text() == gateway_schema_text(), AGAIN


def test_the_page_holds_the_tables_of_the_models():
    assert PAGE.count(GATEWAY_START) == PAGE.count(END) == 1
    assert with_tables(PAGE) == PAGE, AGAIN


def fields(model: type[BaseModel]) -> set[tuple[str, str]]:
    found = {(model.__name__, name) for name in model.model_fields}
    waiting: list[Any] = [field.annotation for field in model.model_fields.values()]
    while waiting:
        part = waiting.pop()
        waiting += getattr(part, "__args__", ())
        waiting += [part.__origin__] if hasattr(part, "__metadata__") else []
        if isinstance(part, type) and issubclass(part, BaseModel):
            found |= fields(part)
    return found


def test_every_field_is_in_the_schema_and_on_the_page_with_type_default_example_and_meaning():
    described = {(name, key) for name, part in MODELS.items() for key in part["properties"]}
    assert described == fields(GatewaySettings)
    assert all(part["additionalProperties"] is False for part in MODELS.values())
    rows = [line for line in PAGE.split(GATEWAY_START)[1].splitlines() if line.startswith("| `")]
    assert len(rows) >= len(described)
    for row in rows:
        cells = [cell.strip() for cell in row.replace("\\|", "/").strip("|").split(" | ")]
        assert len(cells) == 5, row
        assert all(cells), row


@pytest.mark.parametrize(
    "text",
    [
        PAGE.split("```yaml\n")[1].split("```")[0],
        (REPOSITORY / "blueprints" / "gateway.yaml").read_text(),
        EVERYTHING,
        TWO_MODELS,
    ],
)
def test_what_we_show_is_accepted_by_the_loader_and_by_editors(text):
    document = parse_yaml(text.encode(), "gateway.yaml")
    assert validate(GatewaySettings, document)
    assert list(EDITOR.iter_errors(document.data())) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("colour",), "red"),
        (("models",), {}),
        (("models", "gpt", "fallback"), ["small"]),
        (("models", "gpt", "deployments", 0, "rpm"), 0),
        (("models", "gpt", "deployments", 0, "rpm"), "5"),
        (("models", "small", "api_key_env"), "key"),
        (("models", "small", "unsupported_parameters"), "ignore"),
        (("routing", "strategy"), "cost-based-routing"),
        (("retries", "by_error", "timeouts"), 1),
        (("cache", "type"), "memory"),
        (("guardrails", 0, "when"), ["before"]),
        (("callbacks", "langfuze"), {}),
        (("budget", "per"), "year"),
    ],
)
def test_editors_and_the_loader_refuse_alike(path, value):
    document = copy.deepcopy(yaml.safe_load(EVERYTHING))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value

    assert not EDITOR.is_valid(document)
    with pytest.raises(InputError):
        validate(GatewaySettings, parse_yaml(yaml.safe_dump(document).encode(), "gateway.yaml"))


def test_the_page_says_what_a_scenario_may_say():
    section = PAGE.partition("## Scenarios")[2].partition("\n## ")[0]
    example = section.partition("```yaml\n")[2].partition("```")[0]
    assert len(validate(Scenario, parse_yaml(example.encode(), "gateway.md")).rules) == 4
    inside = (Rule, When, TextMatch, ToolResult, ToolCall, ProviderFault, Pace, Usage)
    names = {name for model in inside for name in model.model_fields}
    assert {name for name in names if f"`{name}`" not in section} == set()
