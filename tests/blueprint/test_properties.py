"""Whatever a file holds, reading it gives a blueprint or an InputError, and nothing else."""

import json
from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_runtime.blueprint import Blueprint
from agent_runtime.errors import InputError, Problem
from agent_runtime.loader import load_blueprint
from agent_runtime.validation import validate
from agent_runtime.yaml_reader import parse_yaml

REPOSITORY = Path(__file__).parents[2]


def test_what_is_dumped_and_parsed_again_is_the_same(folder, valid):
    blueprint = load_blueprint(folder.agent("a", valid)).blueprint
    text = yaml.safe_dump(json.loads(blueprint.model_dump_json(exclude_none=True)))
    assert validate(Blueprint, parse_yaml(text.encode(), "f.yaml")) == blueprint


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["gateway", "KEY"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["id", "name", "version", "prompt_ref", "model", "gateway", "runtime", "execution_modes", "tags"]
)
MODEL_KEYS = st.sampled_from(
    ["provider", "model_id", "temperature", "max_tokens", "base_url", "extra_headers_env", "x"]
)
DOCUMENTS = st.dictionaries(KEYS, VALUES | st.dictionaries(MODEL_KEYS, VALUES, max_size=6), max_size=9)


@settings(max_examples=400, derandomize=True, deadline=None)
@given(DOCUMENTS)
def test_any_document_is_a_blueprint_or_an_input_error(document):
    content = json.dumps(document).encode()
    try:
        validate(Blueprint, parse_yaml(content, "f.yaml"))
    except InputError as error:
        for problem in error.problems:
            assert isinstance(problem, Problem)
            assert problem.line >= 1
            assert problem.message
            assert "\n" not in problem.message


VALID = (REPOSITORY / "blueprints" / "agents" / "hello.yaml").read_text()


@settings(max_examples=600, derandomize=True, deadline=None)
@given(st.integers(0, len(VALID)), st.integers(0, 12), st.text(st.characters(codec="utf-8"), max_size=6))
def test_any_change_of_a_valid_file_is_a_blueprint_or_an_input_error(start, length, inserted):
    content = (VALID[:start] + inserted + VALID[start + length :]).encode()
    try:
        validate(Blueprint, parse_yaml(content, "f.yaml"))
    except InputError as error:
        assert error.problems
