"""gateway.yaml and the configuration of LiteLLM that it becomes."""

from pathlib import Path

import pytest
import yaml

from agent_runtime.errors import InputError
from agent_runtime.loader import load_blueprints
from gateway.compile import compile_config
from gateway.routes import find_unserved
from gateway.settings import GatewaySettings, load_gateway
from gateway.target import GatewayTarget

REPOSITORY = Path(__file__).parents[2]
TARGET = GatewayTarget(execution_mode="production")
TWO_MODELS = """\
models:
  zeta: {model: openai/gpt-5-mini, api_key_env: OPENAI_API_KEY, timeout_seconds: 60}
  4.1:
    model: anthropic/claude-sonnet-4-5
    api_key_env: ANTHROPIC_API_KEY
    api_base: https://proxy.example.com/v1
"""


def load(tmp_path: Path, text: str) -> GatewaySettings:
    path = tmp_path / "gateway.yaml"
    path.write_text(text)
    return load_gateway(path)


def test_models_become_a_model_list_that_names_its_variables(tmp_path):
    config = yaml.safe_load(compile_config(load(tmp_path, TWO_MODELS), TARGET))
    assert config["model_list"] == [
        {
            "model_name": "4.1",
            "litellm_params": {
                "model": "anthropic/claude-sonnet-4-5",
                "api_key": "os.environ/ANTHROPIC_API_KEY",
                "api_base": "https://proxy.example.com/v1",
            },
        },
        {
            "model_name": "zeta",
            "litellm_params": {"model": "openai/gpt-5-mini", "api_key": "os.environ/OPENAI_API_KEY", "timeout": 60},
        },
    ]
    assert config["general_settings"] == {"master_key": "os.environ/LITELLM_MASTER_KEY"}
    assert config["litellm_settings"]["drop_params"] is False
    assert config["litellm_settings"]["telemetry"] is False
    assert config["litellm_settings"]["json_logs"] is True
    assert "set_verbose" not in config["litellm_settings"]


def test_the_order_of_the_file_makes_no_difference(tmp_path):
    first, second = ("  a: {model: x/a}\n", "  b: {model: x/b}\n")
    one = compile_config(load(tmp_path, f"models:\n{first}{second}"), TARGET)
    assert compile_config(load(tmp_path, f"models:\n{second}{first}"), TARGET) == one


def test_secret_names_are_the_providers_keys(tmp_path):
    assert load(tmp_path, TWO_MODELS).secret_names == ("ANTHROPIC_API_KEY", "OPENAI_API_KEY")
    assert load(tmp_path, "models: {demo: {model: a/b, mock_response: Hi}}").secret_names == ()


def test_texts_that_yaml_1_1_would_change_reach_litellm_unchanged(tmp_path):
    texts = ["no", "1.10", "12:30", "2026-01-01", "a: b", "# x", "line one\nline two\n", "Grüße", " spaced "]
    for text in texts:
        quoted = yaml.safe_dump({"models": {"demo": {"model": "a/b", "mock_response": text}}})
        config = yaml.safe_load(compile_config(load(tmp_path, quoted.replace("'2026-01-01'", '"2026-01-01"')), TARGET))
        assert config["model_list"][0]["litellm_params"]["mock_response"] == text


@pytest.mark.parametrize(
    ("model", "part"),
    [
        # LiteLLM would answer callers with the master key.
        ("{model: a/b, mock_response: os.environ/LITELLM_MASTER_KEY}", "replaces by a variable"),
        ("{model: os.environ/SECRET}", "replaces by a variable"),
        ("{model: a/b, api_base: os.environ/SECRET}", "not an http or https address"),
        ("{model: a/b, api_base: 'https://169.254.169.254/'}", "metadata"),
        ("{model: a/b, api_key_env: LITELLM_MASTER_KEY}", "gateway's own key"),
        ("{model: a/b, api_key_env: sk-canary-0123456789}", "looks like a secret"),
        ("{model: a/b, mock_response: ''}", "must not be empty"),
        ("{model: a/b, timeout_seconds: 0}", "at least 1"),
        ("{mock_response: Hi}", "model is missing"),
        ("{model: a/b, temperature: 1}", "unknown key 'temperature'"),
    ],
)
def test_faults_are_refused(tmp_path, model, part):
    with pytest.raises(InputError) as caught:
        load(tmp_path, f"models:\n  demo: {model}\n")
    assert part in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("text", ["models: {}\n", "models: {'openai/*': {model: 'openai/*'}}\n", "model_list: []\n"])
def test_the_file_as_a_whole_is_checked(tmp_path, text):
    with pytest.raises(InputError):
        load(tmp_path, text)


def test_the_sample_needs_no_key_and_serves_the_sample_agents():
    settings = load_gateway(REPOSITORY / "blueprints" / "gateway.yaml")
    assert settings.models["demo"].mock_response
    assert find_unserved(load_blueprints(REPOSITORY / "blueprints"), settings) == ()


def test_an_agent_whose_model_no_one_serves_is_told_at_synth(tmp_path):
    for path in (tmp_path / "agents", tmp_path / "prompts"):
        path.mkdir()
    (tmp_path / "prompts" / "hello.md").write_text("Hi")
    agent = (
        (REPOSITORY / "blueprints" / "agents" / "hello.yaml").read_text().replace("model_id: demo", "model_id: dmeo")
    )
    file = tmp_path / "agents" / "hello.yaml"
    file.write_text(agent)
    # Not through the gateway: no business of ours.
    other = agent.replace("id: hello", "id: other", 1).replace("base_url: gateway", "base_url: https://a.example.com")
    (tmp_path / "agents" / "other.yaml").write_text(other)
    settings = load_gateway(REPOSITORY / "blueprints" / "gateway.yaml")
    (problem,) = find_unserved(load_blueprints(tmp_path), settings)
    line = next(number for number, text in enumerate(agent.splitlines(), start=1) if "model_id" in text)
    assert (problem.file, problem.line, problem.path) == (str(file), line, "model.model_id")
    assert problem.message == "the gateway serves no model 'dmeo'"
    assert problem.hint == "did you mean demo? allowed: demo; or add it to gateway.yaml"
