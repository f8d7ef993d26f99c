"""The files that a blueprint names: prompts with front matter, and schemas of answers."""

import json

import pytest

from agent_runtime.bundle import build_bundle, read_bundle
from agent_runtime.errors import InputError, Problem
from agent_runtime.loader import load_blueprint

ANALYSIS = {
    "type": "object",
    "properties": {"score": {"type": "number"}, "parts": {"type": "array", "items": {"$ref": "#/$defs/part"}}},
    "required": ["score"],
    "$defs": {"part": {"type": "string", "pattern": "^[a-z]+$"}},
}


def schema(folder, text, name="analysis"):
    (folder.root / "schemas").mkdir(exist_ok=True)
    path = folder.root / "schemas" / f"{name}.json"
    path.write_text(text if isinstance(text, str) else json.dumps(text))
    return path


def problem_of(folder, text) -> Problem:
    with pytest.raises(InputError) as caught:
        load_blueprint(folder.agent("a", text))
    (problem,) = caught.value.problems
    assert isinstance(problem, Problem)
    return problem


@pytest.mark.parametrize(
    ("prompt", "text", "status"),
    [
        ("Hi.\n", "Hi.\n", "stable"),
        ("---\n---\nHi.\n", "Hi.\n", "stable"),
        ("---\nstatus: stable\n---\nHi.\n", "Hi.\n", "stable"),
        ("---\r\nstatus: draft\r\n---\r\nHi.\r\n", "Hi.\r\n", "draft"),
        ("---  \n# a comment\n\n---\n\nHi.\n---\n", "\nHi.\n---\n", "stable"),
        ("Hi.\n---\nstatus: draft\n---\n", "Hi.\n---\nstatus: draft\n---\n", "stable"),
        (" ---\nHi.", " ---\nHi.", "stable"),
    ],
)
def test_front_matter_is_taken_off(folder, valid, prompt, text, status):
    (folder.root / "prompts" / "hello.md").write_bytes(prompt.encode())
    agent = load_blueprint(folder.agent("a", valid))
    assert (agent.prompt, agent.prompt_status) == (text, status)


@pytest.mark.parametrize(
    ("prompt", "line", "column", "part"),
    [
        ("---\nstatus: finished\n---\nHi.\n", 2, 9, "not one of the allowed values"),
        ("---\nstatus: draft\nstate: x\n---\nHi.\n", 3, 1, "unknown key 'state'"),
        ("---\nstatus: [\n---\nHi.\n", 3, 1, "broken YAML"),
        ("---\n- draft\n---\nHi.\n", 2, 1, "a list"),
        ("---\nvariables: [company]\n---\n${company}\n", 2, 13, "is not the name of an environment variable"),
        ("---\nvariables: [AWS_REGION]\n---\n${AWS_REGION}\n", 2, 13, "a name that the runtime sets itself"),
        ("---\nvariables: [COMPANY]\n---\nHi.\n", 1, 1, "does not hold ${COMPANY}"),
    ],
)
def test_what_is_wrong_in_front_matter_points_into_the_prompt(folder, valid, prompt, line, column, part):
    path = folder.prompt("hello", prompt)
    problem = problem_of(folder, valid)
    assert (problem.file, problem.line, problem.column) == (str(path), line, column)
    assert part in problem.message


@pytest.mark.parametrize(
    ("prompt", "part"),
    [
        ("---\nstatus: draft\nHi.\n", "the front matter has no end"),
        ("---\nstatus: draft\n---\n \n", "the file is empty"),
        ("---\nvariables: [A]\n---\n${A:?}\n", "neither closed nor followed by :-"),
    ],
)
def test_a_prompt_that_cannot_be_used_points_at_who_wants_it(folder, valid, prompt, part):
    folder.prompt("hello", prompt)
    problem = problem_of(folder, valid)
    assert problem.path == "prompt_ref"
    assert part in problem.message


@pytest.mark.parametrize("ref", ["hello@", "hello@1", "hello@latest", "hello@01.0.0", "hello@1.0.0@2.0.0"])
def test_what_follows_the_at_is_a_version(folder, valid, ref):
    assert "no semantic version after the @" in problem_of(folder, valid.replace("_ref: hello", f"_ref: {ref}")).message


@pytest.mark.parametrize("version", ["1.0.0", "1.0.0-beta.1", "1.0.0+build.5"])
def test_versions_of_a_prompt_lie_side_by_side(folder, valid, version):
    folder.prompt(f"hello@{version}", f"This is {version}.")
    agent = load_blueprint(folder.agent("a", valid.replace("_ref: hello", f"_ref: hello@{version}")))
    assert agent.prompt == f"This is {version}."


def test_a_schema_travels_in_the_bundle_with_a_hash_that_spaces_do_not_change(folder, valid):
    schema(folder, ANALYSIS)
    path = folder.agent("a", valid + "output_schema: analysis\n")
    first = build_bundle(load_blueprint(path))
    read = read_bundle(first.content, first.sha256)
    assert read.schemas == {"analysis": ANALYSIS}
    assert len(read.schema_hashes["analysis"]) == 64
    schema(folder, json.dumps(dict(reversed(ANALYSIS.items())), indent=4))
    assert build_bundle(load_blueprint(path)) == first
    schema(folder, {**ANALYSIS, "required": []})
    assert build_bundle(load_blueprint(path)).sha256 != first.sha256


def test_checks_bring_their_schemas_and_classes_are_the_users_code(folder, valid):
    schema(folder, ANALYSIS, "other")
    tools = folder.root / "tools"
    tools.mkdir()
    (tools / "models.py").write_text("from pydantic import BaseModel\nclass Analysis(BaseModel): ...\n")
    text = valid + "output_schema: models:Analysis\nchecks: [{name: a, prompt: b, output_schema: other}]\n"
    assert set(load_blueprint(folder.agent("a", text)).schemas) == {"other"}


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{", "broken JSON"),
        ('{"type": "object",\n "properties": }', ":2: broken JSON at column 16"),
        ("[]", "not a mapping"),
        ('{"type": "object", "type": "object"}', "'type' stands twice"),
        ('{"type": "object", "maximum": NaN}', "NaN is not JSON"),
        ("[" * 50_000, "nests too deep"),
        ('{"type": "object", "properties": {"a": ' + '{"not":' * 60 + "{}" + "}" * 62, "nests deeper than 50"),
        ('{"type": "object", "maximum": ' + "9" * 5000 + "}", "out of range"),
        ('{"type": "string"}', "does not describe an object"),
        ('{"type": "object", "properties": 5}', "no JSON Schema at properties"),
        ('{"type": "object", "properties": {"a": {"type": "text"}}}', "no JSON Schema at properties/a/type"),
        ('{"type": "object", "properties": {"a": {"pattern": "["}}}', "no JSON Schema at properties/a/pattern"),
        ('{"type": "object", "properties": {"a": {"$ref": "https://a.example.com/b"}}}', "leads out of the file"),
        ('{"type": "object", "properties": {"a": {"$ref": "b.json"}}}', "leads out of the file"),
        ('{"type": "object", "$schema": "http://json-schema.org/draft-07/schema#"}', "not that of JSON Schema 2020-12"),
        ('{"type": "object", "$schema": 5}', "not that of JSON Schema 2020-12"),
        ('{"description": "' + "x" * 65536 + '"}', "larger than 64 KiB"),
    ],
)
def test_what_is_no_schema_of_an_object_is_refused(folder, valid, text, part):
    schema(folder, text)
    problem = problem_of(folder, valid + "output_schema: analysis\n")
    assert part in problem.message
    assert (problem.path, problem.line) == ("output_schema", 11)


def test_a_missing_schema_is_guessed_at(folder, valid):
    schema(folder, ANALYSIS)
    assert problem_of(folder, valid + "output_schema: analysi\n").hint == "did you mean analysis?"


@pytest.mark.parametrize(
    "ref", ["../analysis", "/etc/passwd", "a/b", "..", "a..b", ".hidden", "a:", ":B", "a:b:c", "a b"]
)
def test_a_schema_cannot_be_outside_of_its_folder(folder, valid, ref):
    assert "must match" in problem_of(folder, valid + f"output_schema: '{ref}'\n").message


def test_prompt_and_schema_are_looked_for_even_when_another_field_is_wrong(folder, valid):
    text = valid.replace("_ref: hello", "_ref: helo").replace("temperature: 0.2", "temperature: 5")
    with pytest.raises(InputError) as caught:
        load_blueprint(folder.agent("a", text + "output_schema: none\n"))
    assert [problem.path for problem in caught.value.problems] == ["model.temperature", "prompt_ref", "output_schema"]
