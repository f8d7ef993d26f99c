"""The user's code at synth: what is missing is found at the blueprint's line, and the artefact holds what is there."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from agent_runtime.errors import InputError
from agent_runtime.loader import load_blueprint
from stacks import packaging, user_code
from stacks.artefacts import Artefacts, features_of
from stacks.packaging import AGENTCORE, HOST, build
from stacks.project import load_project
from stacks.user_code import find_import_faults, read_user_code
from tests.stacks.projects import ROOT
from tests.support.openai_server import OpenAIServer, Reply, ToolCall

AGENT = Path(__file__).parent / "programs" / "artefact_agent.py"

BASE = """\
id: tide
name: Tide
version: 1.0.0
prompt_ref: tide
model: {provider: litellm, base_url: "https://llm.example.com/v1", model_id: m, temperature: 0.2, max_tokens: 9}
"""
WEATHER = """\
from strands import tool

@tool
def forecast(place: str) -> str:
    'Forecasts.'
    return place

def plain(place: str) -> str:
    return place
"""


@pytest.fixture
def blueprints(tmp_path):
    root = tmp_path / "blueprints"
    for name in ("agents", "prompts", "tools"):
        (root / name).mkdir(parents=True)
    (root / "prompts" / "tide.md").write_text("You know the tides.\n")
    (root / "tools" / "weather.py").write_text(WEATHER)
    return root


@pytest.fixture
def write(blueprints):
    """Writes the blueprint with these lines after the base, and gives its path."""

    def write_blueprint(text, name="tide"):
        path = blueprints / "agents" / f"{name}.yaml"
        path.write_text(BASE.replace("id: tide", f"id: {name}") + text)
        return path

    return write_blueprint


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("tools: [{python: 'wether:forecast'}]", ":6:18: tools[0].python:", "there is no module wether in"),
        ("tools: [{python: 'wether:forecast'}]", "", "(did you mean weather?)"),
        ("tools:\n  - python: weather:forcast", ":7:13:", "tools/weather.py has no forcast (did you mean weather:fore"),
        ("tools: [{python: 'weather:plain'}]", ":6:18:", "tools/weather.py:8 has no decorator"),
        ("tools: [{python: 'broken:forecast'}]", ":6:18:", "tools/broken.py:2: invalid syntax"),
        ("tools: [{python: 'json:forecast'}]", ":6:18:", "the name json belongs to another module"),
        ("tools: [{python: 'linked:forecast'}]", ":6:18:", "symbolic link"),
        ("tools: [{builtin: calculator}]", ":6:19:", "add strands-agents-tools to requirements.txt"),
        ("tools: [{mcp: {command: [npx, server]}}]", ":6:25:", "AgentCore has no npx"),
        ("tools: [{mcp: {command: [python, -m, nothing]}}]", ":6:25:", "there is no module nothing"),
        ("tools: [{mcp: {command: [python, server.py]}}]", ":6:25:", "there is no such file"),
        ("output_schema: weather:Tide", ":6:16: output_schema:", "tools/weather.py has no Tide"),
        ("output_schema: weather:plain", ":6:16:", "is a function, and no class"),
        ("environments: {production: {output_schema: 'weather:Tide'}}", ":6:44:", "has no Tide"),
    ],
)
def test_what_is_missing_is_told_at_the_blueprints_line_and_nothing_is_run(write, blueprints, text, place, said):
    (blueprints / "tools" / "broken.py").write_text("x = 1\ndef (:\n")
    (blueprints / "tools" / "linked.py").symlink_to(blueprints / "tools" / "weather.py")
    path = write(text)

    with pytest.raises(InputError) as refused:
        load_blueprint(path)

    (problem,) = refused.value.problems
    assert f"{path}{place}" in str(problem)
    assert said in str(problem)
    assert "weather" not in sys.modules


@pytest.mark.parametrize(
    "source",
    [
        "import strands\n@strands.tool(name='other')\ndef forecast(): ...",
        "from elsewhere import forecast",
        "from elsewhere import *",
        "try:\n    from fast import forecast\nexcept ImportError:\n    forecast = None",
        "from strands import tool\ndef plain(): ...\nforecast = tool(plain)",
    ],
)
def test_what_may_be_a_tool_is_left_to_the_import(write, blueprints, source):
    (blueprints / "tools" / "weather.py").write_text(source)

    load_blueprint(write("tools: [{python: 'weather:forecast'}]"))


def test_module_in_a_package_is_found(write, blueprints):
    (blueprints / "tools" / "sea").mkdir()
    (blueprints / "tools" / "sea" / "__init__.py").write_text("")
    (blueprints / "tools" / "sea" / "weather.py").write_text(WEATHER)

    load_blueprint(write("tools: [{python: 'sea.weather:forecast'}]"))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (WEATHER, None),
        ("forecast = lambda place: place", "weather:forecast is no tool: decorate it with @strands.tool"),
        ("from nowhere_at_all import forecast", "it imports nowhere_at_all, which is not there"),
        ("from other import forecast", "it imports other, which is not there"),
        (
            "import os\nos.environ['AWS_SECRET_ACCESS_KEY']\nforecast = 1",
            "its import fails with KeyError at weather.py:2",
        ),
        ("import sys\nforecast = 1\nsys.exit(3)", "its import ends with SystemExit"),
        ("import os\nforecast = 1\nos._exit(3)", "its import ends the process"),
        ("print('noise')\nimport strands\n@strands.tool\ndef forecast() -> str:\n    'F.'\n    return ''", None),
    ],
)
def test_users_code_is_imported_in_a_process_without_credentials(write, blueprints, monkeypatch, source, said):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    (blueprints / "tools" / "weather.py").write_text(source)
    agent = load_blueprint(write("tools: [{python: 'weather:forecast'}]"))

    problems = find_import_faults([agent], blueprints)

    assert [problem.line for problem in problems] == ([6] if said else [])
    assert not said or said in problems[0].message
    assert not (blueprints / "tools" / "__pycache__").exists()


def test_package_that_only_the_artefact_has_is_passed_over(write, blueprints):
    (blueprints / "requirements.txt").write_text("nowhere-at-all\n")
    (blueprints / "tools" / "weather.py").write_text("from nowhere_at_all import forecast")
    agent = load_blueprint(write("tools: [{python: 'weather:forecast'}]"))

    assert find_import_faults([agent], blueprints) == []


def test_import_that_succeeded_is_not_made_again_until_the_code_changes(write, blueprints, tmp_path, monkeypatch):
    agent = load_blueprint(write("tools: [{python: 'weather:forecast'}]"))
    runs = []
    monkeypatch.setattr(user_code, "_imported", lambda references, _: runs.append(1) or dict.fromkeys(references, None))

    for _ in range(2):
        find_import_faults([agent], blueprints, tmp_path)
    (blueprints / "tools" / "weather.py").write_text(WEATHER + "\n# changed\n")
    find_import_faults([agent], blueprints, tmp_path)

    assert len(runs) == 2


@pytest.fixture
def installs(monkeypatch):
    """Stands in for uv's installation, and notes the locks."""
    runs = []

    def install(locks, _target, _interpreter, tree):
        runs.append([lock.name for lock in locks])
        (tree / "botocore" / "data" / "dynamodb").mkdir(parents=True)
        (tree / "botocore" / "data" / "dynamodb" / "model.json").write_text("{}")

    monkeypatch.setattr(build, "install", install)
    monkeypatch.setattr(build, "wheels_of", lambda *_: {})
    return runs


def names_in(artefact):
    return set(zipfile.ZipFile(artefact.path).namelist())


def test_agents_without_code_of_the_user_share_the_plain_artefact(write, blueprints, tmp_path, installs):
    write("tools: [{mcp: {url: 'https://tools.example.com/mcp'}}]")
    write("output_schema: weather:Weather\n", "classy")
    (blueprints / "tools" / "weather.py").write_text(WEATHER + "class Weather: ...\n")
    write("tools: [{python: 'weather:forecast'}]", "busy")
    busy, classy, plain = load_project(blueprints).agents
    artefacts = Artefacts(blueprints, AGENTCORE, tmp_path)

    assert artefacts.of(busy.blueprint) is artefacts.of(classy.blueprint)
    assert artefacts.of(plain.blueprint) is not artefacts.of(busy.blueprint)
    assert "user_tools/weather.py" in names_in(artefacts.of(busy.blueprint))
    assert "user_tools/weather.py" not in names_in(artefacts.of(plain.blueprint))
    # The user's code may call any service.
    assert "botocore/data/dynamodb/model.json" in names_in(artefacts.of(busy.blueprint))
    assert "botocore/data/dynamodb/model.json" not in names_in(artefacts.of(plain.blueprint))
    assert len(installs) == 2


def test_same_code_gives_the_same_bytes_and_other_code_others(write, blueprints, tmp_path, installs):
    agent = load_blueprint(write("tools: [{python: 'weather:forecast'}]")).blueprint
    (blueprints / "tools" / "__pycache__").mkdir()
    (blueprints / "tools" / "__pycache__" / "weather.pyc").write_bytes(b"\0")
    (blueprints / "tools" / ".env").write_text("KEY=canary")
    first = Artefacts(blueprints, AGENTCORE, tmp_path / "a").of(agent)
    again = Artefacts(blueprints, AGENTCORE, tmp_path / "elsewhere").of(agent)
    (blueprints / "tools" / "data.json").write_text("{}")
    other = Artefacts(blueprints, AGENTCORE, tmp_path / "a").of(agent)

    assert first.sha256 == again.sha256 != other.sha256
    assert {name for name in names_in(other) if name.startswith("user_tools/")} == {
        "user_tools/weather.py",
        "user_tools/__pycache__/weather.cpython-313.pyc",
        "user_tools/data.json",
    }


def test_link_in_the_users_code_is_refused(blueprints, tmp_path):
    (tmp_path / "secret").write_text("canary")
    (blueprints / "tools" / "secret.txt").symlink_to(tmp_path / "secret")

    with pytest.raises(InputError, match=r"secret\.txt cannot be packaged: it is a symbolic link"):
        read_user_code(blueprints, [])


@pytest.mark.parametrize(
    ("text", "features"),
    [
        ("", ("light", "otel")),
        ("observability: {enabled: false}", ("light",)),
        ("observability: {data_protection: {provider: presidio}}", ("light", "presidio", "otel")),
        ("environments: {local: {model: {model_id: other}}}", ("light", "otel")),
        ("runtime: {protocol: MCP}", ("light", "otel")),
        ("runtime: {protocol: A2A}", ("light", "a2a", "otel")),
    ],
)
def test_features_are_those_that_the_blueprint_needs(write, text, features):
    assert features_of(load_blueprint(write(text)).blueprint) == features


def test_features_are_installed_together(write, blueprints, tmp_path, installs):
    agent = load_blueprint(write("observability: {data_protection: {provider: presidio}}")).blueprint

    Artefacts(blueprints, AGENTCORE, tmp_path).of(agent)

    assert installs == [["light.lock", "presidio.lock", "otel.lock"]]


@pytest.fixture
def compiles(monkeypatch):
    """Stands in for uv's resolver."""
    runs = []

    def run(command, **_):
        runs.append(command)
        made = command[command.index("--output-file") + 1]
        Path(made).write_text("pendulum==3.0.0 --hash=sha256:00\n")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(user_code.subprocess, "run", run)
    return runs


def test_packages_are_locked_once_and_again_when_something_changes(blueprints, tmp_path, compiles):
    ours = tmp_path / "light.lock"
    ours.write_text("a==1\n")
    requirements = blueprints / "requirements.txt"
    requirements.write_text("pendulum\n")

    lock = read_user_code(blueprints, [ours]).lock
    read_user_code(blueprints, [ours])
    assert lock == blueprints / "requirements.lock"
    assert "pendulum==3.0.0" in lock.read_text()
    assert len(compiles) == 1
    assert compiles[0][compiles[0].index("--constraints") + 1] == str(ours)
    assert "--generate-hashes" in compiles[0]

    requirements.write_text("pendulum>3\n")
    read_user_code(blueprints, [ours])
    ours.write_text("a==2\n")
    read_user_code(blueprints, [ours])
    assert len(compiles) == 3


def test_packages_that_contradict_ours_are_refused_in_the_resolvers_words(blueprints):
    (blueprints / "requirements.txt").write_text("pydantic<2\n")

    with pytest.raises(InputError, match=r"do not go together with those of the handler(.|\n)*pydantic"):
        read_user_code(blueprints, [packaging.lock_of("light")])


FORECAST = ("{python: 'weather:forecast'}", ToolCall("forecast", {"place": "Cork"}), "Cork")
CALCULATOR = ("{builtin: calculator}", ToolCall("calculator", {"expression": "6 * 7 * 1000"}, id="call_2"), "42000")
TOOLS = [[FORECAST]]
if os.environ.get("STRANDLINE_EVERY_SET"):
    # The package of the builtin ones brings seventy others.
    TOOLS.append([FORECAST, CALCULATOR])


@pytest.mark.parametrize("tools", TOOLS, ids=len)
def test_model_calls_a_users_tool_and_a_builtin_in_the_real_artefact(write, blueprints, tmp_path, tools):
    named, calls, answers = zip(*tools, strict=True)
    (blueprints / "requirements.txt").write_text("strands-agents-tools\n" if CALCULATOR in tools else "")
    agent = load_blueprint(write(f"tools: [{', '.join(named)}]")).blueprint
    artefact = Artefacts(blueprints, HOST, ROOT / ".strandline").of(agent)
    tree = tmp_path / "tree"
    zipfile.ZipFile(artefact.path).extractall(tree)
    replies = [Reply(text="", tool_calls=(call,)) for call in calls]

    with OpenAIServer() as server:
        server.script("m", *replies, Reply(text="42,000 in Cork."))
        plan = agent.model_copy(update={"model": agent.model.model_copy(update={"base_url": server.base_url})})
        # Isolated: nothing but the artefact's own packages.
        command = [sys._base_executable, "-I", "-S", str(AGENT), plan.model_dump_json(), "How much?"]
        done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)

    assert done.stdout.strip().splitlines()[-1:] == ['[{"text": "42,000 in Cork."}]'], done.stderr
    first, *_, last = [request.body for request in server.requests]
    assert {tool["function"]["name"] for tool in first["tools"]} == {call.name for call in calls}
    told = [str(message["content"]) for message in last["messages"] if message["role"] == "tool"]
    assert all(answer in one for answer, one in zip(answers, told, strict=True))
