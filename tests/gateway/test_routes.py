"""What agents ask of the gateway, and what environments can keep of it, checked before anything is deployed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from agent_runtime.errors import InputError
from stacks.environments import load_environments
from stacks.project import Project, load_project
from strandline.commands.validate import find_problems

ACCOUNT = {"account": "111111111111", "region": "us-east-1"}
MODELS = """\
models:
  big: {model: openai/gpt-5-mini, api_key_env: OPENAI_API_KEY, fallbacks: [tuned]}
  small: {model: openai/gpt-4.1-mini, api_key_env: OPENAI_API_KEY}
  tuned: {model: openai/our-own-tune, api_key_env: OPENAI_API_KEY}
  claude: {model: anthropic/claude-sonnet-4-5, api_key_env: ANTHROPIC_API_KEY}
aliases: {code: small}
"""


@pytest.fixture
def write(tmp_path: Path):
    """Writes a project of one agent."""

    def write_project(agent: str = "", gateway: str = MODELS, **model: object) -> Path:
        for name in ("agents", "prompts"):
            (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / "prompts" / "hello.md").write_text("Hi")
        fields = {"provider": "litellm", "base_url": "gateway", "model_id": "small", "temperature": 0.2}
        block = yaml.safe_dump({"model": {**fields, "max_tokens": 5, **model}}, sort_keys=False)
        head = "id: hello\nname: Hello\nversion: 1.0.0\nprompt_ref: hello\n"
        modes = "execution_modes: {staging: true, production: true}\n"
        (tmp_path / "agents" / "hello.yaml").write_text(f"{head}{block}{modes}{agent}")
        (tmp_path / "gateway.yaml").write_text(gateway)
        return tmp_path

    return write_project


def told(folder: Path) -> list[tuple[str, str, str]]:
    with pytest.raises(InputError) as caught:
        load_project(folder)
    return [(one.path, one.message, one.hint) for one in caught.value.problems]


@pytest.mark.parametrize("name", ["big", "code"])
def test_models_and_aliases_are_served(write, name):
    assert load_project(write(model_id=name)).gateway


def test_a_model_that_nobody_serves_is_told_at_its_place(write):
    ((path, message, hint),) = told(write(model_id="smal"))
    assert (path, message) == ("model.model_id", "the gateway serves no model 'smal'")
    assert hint.startswith("did you mean small? allowed: big, claude, code, small, tuned; or add it to gateway.yaml")


def test_further_models_of_a_budget_are_served_too(write):
    ((path, message, _),) = told(write("budget: {rpm: 5, models: [code, bigg]}\n"))
    assert (path, message) == ("budget.models[1]", "the gateway serves no model 'bigg'")


def test_an_agent_with_an_endpoint_of_its_own_asks_for_what_it_likes(write):
    assert load_project(write(model_id="vendor/any", base_url="https://a.example.com/v1"))


@pytest.mark.parametrize("budget", ["{max_usd: 5, models: [tuned]}", "{max_usd: 5, models: [big]}"])
def test_a_budget_wants_a_price_of_every_model_that_may_answer(write, budget):
    ((path, message, hint),) = told(write(f"budget: {budget}\n"))
    assert path == "budget.max_usd"
    assert "the gateway's model 'tuned': LiteLLM knows no price of openai/our-own-tune" in message
    assert hint == "add price: {input_usd: ..., output_usd: ...} to tuned in gateway.yaml, or remove max_usd"


@pytest.mark.parametrize("budget", ["{max_usd: 5}", "{rpm: 5, models: [tuned]}"])
def test_a_budget_of_what_is_counted_or_of_no_money_is_taken(write, budget):
    assert load_project(write(f"budget: {budget}\n"))


def test_a_price_of_zero_lets_no_budget_through(write):
    free = MODELS.replace("our-own-tune,", "our-own-tune, price: {input_usd: 0, output_usd: 0},")
    ((_, message, _),) = told(write("budget: {max_usd: 5, models: [tuned]}\n", gateway=free))
    assert "a price of 0 with a budget" in message


def notices(folder: Path) -> list[tuple[str, str]]:
    file = folder / "environments.yaml"
    file.write_text(yaml.safe_dump({"environments": {"staging": ACCOUNT, "production": ACCOUNT}}))
    found = find_problems([folder], environments=file)
    assert found.problems == []
    return [(one.path, one.message) for one in found.notices]


def test_a_parameter_that_the_model_does_not_take_is_told(write):
    assert notices(write(model_id="claude", params={"seed": 7, "top_p": 0.9, "top_k": 5})) == [
        (
            "model.params.seed",
            "seed will be refused: anthropic/claude-sonnet-4-5, behind the gateway's model 'claude', does not take it",
        )
    ]


def test_a_parameter_that_is_dropped_is_told_so(write):
    dropping = MODELS.replace("ANTHROPIC_API_KEY}", "ANTHROPIC_API_KEY, unsupported_parameters: drop}")
    ((path, message),) = notices(write(model_id="claude", params={"seed": 7}, gateway=dropping))
    assert (path, message.partition(":")[0]) == ("model.params.seed", "seed has no effect")


def test_a_parameter_that_only_a_fallback_does_not_take_is_told(write):
    with_fallback = MODELS.replace("fallbacks: [tuned]", "fallbacks: [claude]")
    found = notices(write(model_id="big", params={"seed": 7}, gateway=with_fallback))
    assert [path for path, _ in found] == ["model.params.seed"]
    assert "'claude'" in found[0][1]


def test_parameters_that_the_model_takes_are_no_news(write):
    assert notices(write(model_id="code", params={"seed": 7, "top_p": 0.9})) == []


def hosted(folder: Path, name: str, gateway: dict[str, object]) -> tuple[Project, object]:
    file = folder / "environments.yaml"
    file.write_text(yaml.safe_dump({"environments": {name: {**ACCOUNT, "gateway": gateway}}}))
    return load_project(folder), load_environments(file)[name]


LIMITED = MODELS.replace("gpt-5-mini,", "gpt-5-mini, rpm: 60, budget: {max_usd: 5},")
TWO_TASKS = {"profile": "stateless", "tasks": 2, "max_tasks": 2}


def test_limits_that_two_tasks_would_each_count_by_themselves_are_refused(write):
    project, environment = hosted(write(gateway=LIMITED), "staging", TWO_TASKS)

    with pytest.raises(InputError) as caught:
        project.agents_of(environment)

    assert [(one.path, one.line) for one in caught.value.problems] == [("models.big.rpm", 2), ("models.big.budget", 2)]
    assert "in staging: 2 tasks would each count rpm by itself" in caught.value.problems[0].message


@pytest.mark.parametrize(
    ("name", "gateway"),
    [
        ("staging", {**TWO_TASKS, "redis": {}}),
        ("staging", {"profile": "stateless", "tasks": 1, "max_tasks": 1}),
        ("production", {}),
        # No provider is called, so nobody is limited.
        ("simulation", TWO_TASKS),
    ],
)
def test_limits_that_one_task_or_a_redis_counts_are_taken(write, name, gateway):
    project, environment = hosted(write(gateway=LIMITED), name, gateway)
    assert project.agents_of(environment)


def test_a_shared_cache_wants_a_redis(write):
    cached = f"{MODELS}cache: {{type: redis}}\n"
    project, environment = hosted(write(gateway=cached), "staging", {"profile": "stateless"})
    with pytest.raises(InputError, match="in staging: the cache is redis, and there is no Redis"):
        project.agents_of(environment)
    project, environment = hosted(write(gateway=cached), "simulation", {})
    assert project.agents_of(environment)
