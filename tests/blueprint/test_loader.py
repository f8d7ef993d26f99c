"""The loader: a folder of files becomes agents, or one message for each fault in it."""

from pathlib import Path

import pytest

from agent_runtime.errors import InputError, Problem
from agent_runtime.loader import load_blueprint, load_blueprints
from tests.support.effort import bounded_effort

REPOSITORY = Path(__file__).parents[2]
CANARY = "sk-canary-0123456789abcdef"


def problems_of(folder) -> list[Problem]:
    with pytest.raises(InputError) as caught:
        load_blueprints(folder.root)
    assert all(isinstance(problem, Problem) for problem in caught.value.problems)
    return list(caught.value.problems)


def only(folder) -> Problem:
    (problem,) = problems_of(folder)
    return problem


def test_the_sample_of_the_repository_loads():
    (hello,) = [agent for agent in load_blueprints(REPOSITORY / "blueprints") if agent.blueprint.id == "hello"]
    assert hello.blueprint.uses_gateway
    assert hello.prompt


def test_agents_come_sorted_with_their_prompts_and_files(folder, valid):
    folder.agent("z", valid.replace("id: hello", "id: a-first"))
    path = folder.agent("a", valid.replace("id: hello", "id: b_second").replace("prompt_ref: hello", "prompt_ref: two"))
    folder.prompt("two", "Two.\r\n")
    first, second = load_blueprints(folder.root)
    assert (first.blueprint.id, first.prompt) == ("a-first", "Answer kindly.\n")
    assert (second.blueprint.id, second.source) == ("b_second", str(path))


def test_a_prompt_is_taken_exactly_as_it_is(folder, valid):
    path = folder.agent("a", valid)
    (folder.root / "prompts" / "hello.md").write_bytes("  Grüße\r\n\n".encode())
    assert load_blueprint(path).prompt == "  Grüße\r\n\n"


def test_one_file_loads_alone(folder, valid):
    folder.agent("broken", "id: [")
    assert load_blueprint(folder.agent("a", valid)).blueprint.id == "hello"


def test_a_path_is_named_as_the_user_named_it(folder, valid, monkeypatch):
    folder.agent("a", valid + "colour: red\n")
    monkeypatch.chdir(folder.root.parent)
    with pytest.raises(InputError, match=r"^blueprints/agents/a\.yaml:11:1: colour: unknown key 'colour'"):
        load_blueprints(Path("blueprints"))


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "path", "message", "hint"),
    [
        ("id: hello\n", "", 1, 1, "id", "id is missing", "add id: hello"),
        ("  max_tokens: 500\n", "", 5, 1, "model.max_tokens", "max_tokens is missing", "add max_tokens: 1000"),
        (
            "  temperature: 0.2",
            "  temperatur: 0.2\n  temperature: 1",
            9,
            3,
            "model.temperatur",
            "unknown key 'temperatur'",
            "did you mean temperature? allowed: api_key_env, base_url, cache_prompt, cache_tools, client, "
            "extra_headers_env, max_tokens, model_id, num_retries, params, provider, stream, temperature, "
            "timeout_seconds",
        ),
        (
            "provider: litellm",
            "provider: litelm",
            6,
            13,
            "model.provider",
            "is not one of the allowed values, found 'litelm'",
            "did you mean litellm? allowed: bedrock, anthropic, litellm, vertex, openai",
        ),
        (
            "temperature: 0.2",
            "temperature: 3",
            9,
            16,
            "model.temperature",
            "must be at most 2, found '3'",
            "Sampling temperature, 0 to 2",
        ),
        (
            "max_tokens: 500",
            "max_tokens: '500'",
            10,
            15,
            "model.max_tokens",
            "wants a whole number, found '500'",
            "write digits only, without quotes",
        ),
        (
            "name: Hello",
            "name: 1.10",
            2,
            7,
            "name",
            "wants a text, found a number: '1.10'",
            'put it in quotes: "1.10"',
        ),
        (
            "name: Hello",
            "name: true",
            2,
            7,
            "name",
            "wants a text, found true or false: 'true'",
            'put it in quotes: "true"',
        ),
        ("name: Hello", "name:", 2, 6, "name", "has no value; it wants a text", "write one"),
        (
            "name: Hello",
            "name: Hello\ndescription:",
            3,
            13,
            "description",
            "has no value; it wants a text",
            "write one, or remove the key",
        ),
        (
            "name: Hello",
            "name: [Hello]",
            2,
            7,
            "name",
            "wants a text, found a list",
            "write a text",
        ),
        (
            "name: Hello",
            "name: Hello\ntags: [a, 2]",
            3,
            11,
            "tags[1]",
            "wants a text, found a number: '2'",
            'put it in quotes: "2"',
        ),
        (
            "name: Hello",
            "name: Hello\ntags: a",
            3,
            7,
            "tags",
            "wants a list, found 'a'",
            "write - item lines, or [item, item]",
        ),
        (
            "name: Hello",
            "name: Hello\nruntime: 5",
            3,
            10,
            "runtime",
            "wants a mapping, found '5'",
            "write indented `key: value` lines",
        ),
        (
            "name: Hello",
            "name: Hello\nexecution_modes: {staging: yes}",
            3,
            28,
            "execution_modes.staging",
            "wants true or false, found 'yes'",
            "write true or false, without quotes",
        ),
        (
            "name: Hello",
            "name: Hello\nmemory: {}",
            3,
            1,
            "memory",
            "memory is not supported by this version",
            "remove it; a session keeps its conversation while it lives",
        ),
        (
            "name: Hello",
            "name: Hello\napi_key_env: KEY",
            3,
            1,
            "api_key_env",
            "unknown key 'api_key_env'",
            "it belongs to model",
        ),
        (
            "  provider: litellm\n  base_url: gateway\n",
            "  base_url: gateway\n",
            6,
            13,
            "model.base_url",
            "base_url has no effect with provider bedrock, which signs with the runtime's role",
            "set provider: litellm, or remove base_url",
        ),
        (
            "  provider: litellm",
            "  provider: litellm\n  extra_headers_env: {Host: NAME}",
            7,
            23,
            "model.extra_headers_env.Host",
            "Host is a header that the client sets itself",
            "remove it",
        ),
        (
            "id: hello",
            "id: 9lives",
            1,
            5,
            "id",
            "must match ^[a-zA-Z][a-zA-Z0-9_-]{0,31}$, found '9lives'",
            "Name of the agent in commands and in AWS: a letter, then letters, digits, - and _, 32 at most",
        ),
    ],
)
def test_each_fault_says_where_what_and_how_to_mend_it(folder, valid, old, new, line, column, path, message, hint):
    assert old in valid
    file = folder.agent("a", valid.replace(old, new))
    assert only(folder) == Problem(str(file), line, column, path, message, hint)


def test_all_faults_of_all_files_are_shown_in_one_run(folder, valid):
    folder.agent(
        "a",
        valid.replace("name: Hello", "nam: Hello")
        .replace("version: 1.0.0", "version: one")
        .replace("prompt_ref: hello", "prompt_ref: helo")
        .replace("temperature: 0.2", "temperature: hot")
        .replace("max_tokens: 500", "max_tokens: 0\n  max_tokens: 1"),
    )
    folder.agent("b", "id: [")
    folder.agent("c", valid.replace("model_id: demo", "model_id: 4.1"))
    found = [(Path(problem.file).stem, problem.path) for problem in problems_of(folder)]
    assert found == [
        ("a", "name"),
        ("a", "nam"),
        ("a", "version"),
        ("a", "model.temperature"),
        ("a", "model.max_tokens"),
        ("a", ""),
        ("a", "prompt_ref"),
        ("b", ""),
        ("c", "model.model_id"),
        ("c", "id"),
    ]


def test_no_secret_pasted_anywhere_is_shown(folder, valid):
    for place in (
        f"api_key_env: {CANARY}",
        f"extra_headers_env: {{X-Team: {CANARY}}}",
        f"api_key: {CANARY}",
        f"{CANARY}: x",
        f"base_url: https://user:{CANARY}@proxy.example.com",
        f"provider: {CANARY}",
        f"temperature: {CANARY}",
        f"max_tokens: [{CANARY}]",
        "api_key_env: 1234567890",
    ):
        folder.agent("a", valid.replace("  provider: litellm\n", f"  {place}\n"))
        text = "\n".join(map(str, problems_of(folder)))
        assert CANARY not in text
        assert "1234567890" not in text


def test_two_agents_with_one_id_name_both_files(folder, valid):
    first, other = folder.agent("a", valid), folder.agent("b", "# second\n" + valid)
    assert only(folder) == Problem(
        str(other), 2, 5, "id", f"the id 'hello' is taken by {first}:1", "give one of the two another id"
    )


@pytest.mark.parametrize(("one", "two"), [("a-b", "a_b"), ("Hello", "hello")])
def test_ids_that_aws_cannot_tell_apart_are_refused(folder, valid, one, two):
    folder.agent("a", valid.replace("id: hello", f"id: {one}"))
    folder.agent("b", valid.replace("id: hello", f"id: {two}"))
    assert f"the id '{two}' is the same to AWS as '{one}'" in only(folder).message


def test_a_missing_prompt_says_where_it_was_looked_for(folder, valid):
    folder.agent("a", valid.replace("prompt_ref: hello", "prompt_ref: helo"))
    problem = only(folder)
    assert (problem.line, problem.column, problem.path, problem.hint) == (4, 13, "prompt_ref", "did you mean hello?")
    assert f"{folder.root / 'prompts' / 'helo.md'}: there is no such file" in problem.message


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "empty"),
        (b" \n\t\n", "empty"),
        (b"one\n\xff\n", ":2: the file is not UTF-8"),
        (b"\xef\xbb\xbfHi", "byte order mark"),
        (b"a\x00b", "NUL"),
        (b"x" * (256 * 1024 + 1), "larger than 256 KiB"),
    ],
)
def test_a_prompt_that_cannot_be_used_is_refused(folder, valid, content, part):
    folder.agent("a", valid)
    (folder.root / "prompts" / "hello.md").write_bytes(content)
    problem = only(folder)
    assert part in problem.message
    assert problem.path == "prompt_ref"


def test_links_lead_nowhere(folder, valid, tmp_path):
    outside = tmp_path / "outside.md"
    outside.write_text("CANARY of another folder")
    folder.agent("a", valid)
    prompt = folder.root / "prompts" / "hello.md"
    prompt.unlink()
    prompt.symlink_to(outside)
    assert "symbolic link" in only(folder).message

    prompt.unlink()
    prompt.write_text("Hi")
    agents = folder.root / "agents"
    agents.rename(tmp_path / "elsewhere")
    agents.symlink_to(tmp_path / "elsewhere")
    assert "symbolic link" in only(folder).message


def test_a_folder_that_is_a_link_itself_may_be_named(folder, valid, tmp_path):
    folder.agent("a", valid)
    (tmp_path / "link").symlink_to(folder.root)
    assert len(load_blueprints(tmp_path / "link")) == 1


def test_a_folder_without_blueprints_is_an_error(folder, tmp_path):
    assert "there is no blueprint" in only(folder).message
    with pytest.raises(InputError, match="there is no such folder"):
        load_blueprints(tmp_path / "missing")


def test_a_file_that_would_be_left_out_silently_is_an_error(folder, valid):
    folder.agent("a", valid)
    (folder.root / "agents" / "b.yml").write_text(valid)
    assert only(folder).hint == "rename it to end in .yaml"


def test_other_files_are_left_alone(folder, valid):
    folder.agent("a", valid)
    for name in ("README.md", ".hidden.yaml", "a.yaml~"):
        (folder.root / "agents" / name).write_text("not: [a blueprint")
    assert len(load_blueprints(folder.root)) == 1


def test_a_hundred_blueprints_load_within_two_seconds(folder, valid):
    for number in range(100):
        folder.agent(f"agent{number}", valid.replace("id: hello", f"id: agent{number}"))
    with bounded_effort(seconds=2):
        assert len(load_blueprints(folder.root)) == 100
