"""Whatever a file holds, reading it gives a blueprint or an InputError, and nothing else."""

import json
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_runtime.blueprint import Blueprint
from agent_runtime.errors import InputError, Problem
from agent_runtime.loader import load_blueprint, load_document
from agent_runtime.quoting import looks_like_secret
from agent_runtime.references import References
from agent_runtime.schema_walk import known_keys
from agent_runtime.validation import validate
from agent_runtime.yaml_reader import parse_yaml
from tests.support.effort import bounded_effort

REPOSITORY = Path(__file__).parents[2]
# `make fuzz` asks for more of them, other ones each time, and for how long they take.
EXAMPLES = int(os.environ.get("STRANDLINE_FUZZ_EXAMPLES", "0"))
LIMIT_SECONDS = 0.05


@pytest.fixture(scope="module", autouse=True)
def spent():
    """Seconds of the processor that each example took; nearly all are below the limit."""
    seconds = []
    yield seconds
    if EXAMPLES:
        slowest = sorted(seconds)[-max(1, len(seconds) // 100) :]
        print(f"examples={len(seconds)} p99={slowest[0] * 1000:.1f}ms slowest={slowest[-1] * 1000:.1f}ms")
        assert slowest[0] < LIMIT_SECONDS


@contextmanager
def timed(seconds):
    started = time.process_time()
    try:
        yield
    finally:
        seconds.append(time.process_time() - started)


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
    "gateway": block("gateway"),
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
    is_emulated = False
    variables: ClassVar[dict[str, str]] = {"A": "value", "KEY": ""}


@settings(max_examples=EXAMPLES or 100, derandomize=not EXAMPLES, deadline=None)
@given(DOCUMENTS)
def test_any_document_is_an_agent_of_an_environment_or_an_input_error(spent, document):
    content = json.dumps(document).encode()
    try:
        with timed(spent):
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


VALID = [path.read_text() for path in sorted((REPOSITORY / "tests" / "fuzz" / "seeds").glob("*.yaml"))]
EDITS = st.tuples(st.floats(0, 1), st.integers(0, 12), st.text(st.characters(codec="utf-8"), max_size=6))


@settings(max_examples=EXAMPLES or 300, derandomize=not EXAMPLES, deadline=None)
@given(st.sampled_from(VALID), st.lists(EDITS, min_size=1, max_size=3))
def test_any_change_of_a_valid_file_is_a_blueprint_or_an_input_error(spent, text, edits):
    for where, length, inserted in edits:
        start = round(where * len(text))
        text = text[:start] + inserted + text[start + length :]
    try:
        with timed(spent):
            validate(Blueprint, parse_yaml(text.encode(), "f.yaml"))
    except InputError as error:
        assert error.problems


HEAD = "id: a\nname: A\nversion: 1.0.0\nprompt_ref: hello\n"
MODEL_LINE = "model: {provider: litellm, model_id: m, temperature: 1, max_tokens: 500%s}\n"
LARGE = {
    "thousands of unknown keys": HEAD + "".join(f"a{number}: 1\n" for number in range(4800)),
    "unknown keys in every overlay": HEAD
    + "x: &x {model: {"
    + ",".join(f"a{number}: 1" for number in range(1200))
    + "}}\nenvironments: {local: *x, simulation: *x, staging: *x, production: *x}\n",
    "ten thousand wrong items": HEAD + "tags: [" + "5," * 9900 + "5]\n",
    "thousands of empty tools": HEAD + MODEL_LINE % "" + "tools: [" + "{}," * 9000 + "{}]\n",
    "a long key": HEAD + "a" * 60_000 + ": 1\n",
    "a long id": "id: " + "a" * 60_000 + "\n",
    "a long name of a variable": HEAD + MODEL_LINE % (", api_key_env: " + "A" * 60_000),
    "a long address": HEAD + MODEL_LINE % (", base_url: https://" + "a." * 30_000),
    "a long version": "version: 1.0.0-" + "a." * 30_000 + "\n",
    "one word of text": HEAD + "description: " + "a-" * 30_000 + "\n",
    "many schemes": HEAD + "description: " + "://" * 20_000 + "\n",
    "references that never close": HEAD + MODEL_LINE % (", base_url: '" + "${A:-" * 12_000 + "'"),
    "many brackets": HEAD + "checks: [{name: a, prompt: b, regex: '" + "(" * 250 + ")" * 250 + "'}]\n",
}


@pytest.mark.parametrize("name", LARGE)
def test_the_largest_files_take_a_bounded_time(name):
    with bounded_effort(seconds=2), pytest.raises(InputError):
        load_document(parse_yaml(LARGE[name].encode(), "f.yaml"), References(REPOSITORY / "blueprints"))


@pytest.mark.parametrize("text", ["a" * 64_000, "a-" * 32_000, "://" * 20_000, "Bearer" + " " * 60_000, "1" * 64_000])
def test_looking_for_secrets_takes_time_by_the_length_only(text):
    with bounded_effort(seconds=0.1):
        assert not looks_like_secret(text)
