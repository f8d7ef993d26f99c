"""Whatever a file holds, reading it gives a blueprint or an InputError, and nothing else."""

import json
from pathlib import Path
from typing import Any, ClassVar

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_runtime.blueprint import Blueprint
from agent_runtime.errors import InputError, Problem
from agent_runtime.loader import load_blueprint, load_document
from agent_runtime.references import References
from agent_runtime.schema_walk import known_keys
from agent_runtime.validation import validate
from agent_runtime.yaml_reader import parse_yaml

REPOSITORY = Path(__file__).parents[2]


def test_what_is_dumped_and_parsed_again_is_the_same(folder, valid):
    blueprint = load_blueprint(folder.agent("a", valid)).blueprint
    text = yaml.safe_dump(json.loads(blueprint.model_dump_json(exclude_none=True)))
    assert validate(Blueprint, parse_yaml(text.encode(), "f.yaml")) == blueprint


WORDS = st.sampled_from(
    ["gateway", "KEY", "${A:-x}", "${A}", "https://a.example.com", "a:b", "default", "presidio", "x+"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def block(*path: str | int) -> st.SearchStrategy[Any]:
    """Mappings with the keys of a block, and one that it does not have."""
    return st.dictionaries(st.sampled_from([*known_keys(Blueprint, path), "x"]), VALUES, max_size=6)


BASE = {"id": "a", "name": "A", "version": "1.0.0", "prompt_ref": "hello"}
MODEL = {"model_id": "m", "temperature": 1, "max_tokens": 5000}
BLOCKS = {
    "model": block("model").map(lambda fields: {**MODEL, **fields}),
    "thinking": block("thinking"),
    "runtime": block("runtime"),
    "observability": block("observability")
    | st.fixed_dictionaries({"data_protection": block("observability", "data_protection")}),
    "tools": st.lists(block("tools", 0) | st.fixed_dictionaries({"mcp": block("tools", 0, "mcp")}), max_size=3),
    "checks": st.lists(block("checks", 0), max_size=3),
    "budget": block("budget"),
    "execution_modes": block("execution_modes"),
}
PARTS = st.fixed_dictionaries({}, optional=BLOCKS)
DOCUMENTS = st.builds(
    lambda parts, overlays, stray: {**BASE, "model": MODEL, **parts, "environments": overlays, **stray},
    PARTS,
    st.dictionaries(st.sampled_from(["local", "staging", "production", "prod"]), PARTS | VALUES, max_size=2),
    block().filter(lambda fields: "environments" not in fields) | st.just({}),
)


class Destination:
    name = "production"
    execution_mode = "production"
    variables: ClassVar[dict[str, str]] = {"A": "value", "KEY": ""}


@settings(max_examples=400, derandomize=True, deadline=None)
@given(DOCUMENTS)
def test_any_document_is_an_agent_of_an_environment_or_an_input_error(document):
    content = json.dumps(document).encode()
    try:
        agent = load_document(parse_yaml(content, "f.yaml"), References(REPOSITORY / "blueprints"))
        there = agent.for_environment(Destination()).blueprint
    except InputError as error:
        for problem in error.problems:
            assert isinstance(problem, Problem)
            assert problem.line >= 1
            assert problem.message
            assert "\n" not in problem.message
    else:
        assert not there.environments
        assert "${" not in f"{there.model.model_id}{there.model.base_url}"
        assert Blueprint.model_validate(there.model_dump(mode="json")) == there


VALID = (REPOSITORY / "blueprints" / "agents" / "hello.yaml").read_text()


@settings(max_examples=600, derandomize=True, deadline=None)
@given(st.integers(0, len(VALID)), st.integers(0, 12), st.text(st.characters(codec="utf-8"), max_size=6))
def test_any_change_of_a_valid_file_is_a_blueprint_or_an_input_error(start, length, inserted):
    content = (VALID[:start] + inserted + VALID[start + length :]).encode()
    try:
        validate(Blueprint, parse_yaml(content, "f.yaml"))
    except InputError as error:
        assert error.problems
