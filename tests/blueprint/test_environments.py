"""What an environment makes of an agent: overlay, variables, prompt, and where it may run."""

from dataclasses import dataclass, field

import pytest

from agent_runtime.bundle import build_bundle, read_bundle
from agent_runtime.errors import InputError, Problem
from agent_runtime.loader import load_blueprint


@dataclass
class Destination:
    name: str = "staging"
    execution_mode: str = "staging"
    is_emulated: bool = False
    variables: dict[str, str] = field(default_factory=dict)


STAGING, PRODUCTION = Destination(), Destination("production", "production")
LOCAL = Destination("local", "simulation", is_emulated=True)


def loaded(folder, text):
    return load_blueprint(folder.agent("a", text))


def problems(folder, text, destination=None) -> list[Problem]:
    with pytest.raises(InputError) as caught:
        agent = loaded(folder, text)
        if destination:
            agent.for_environment(destination)
    assert all(isinstance(problem, Problem) for problem in caught.value.problems)
    return list(caught.value.problems)


def only(folder, text, destination=None) -> Problem:
    (problem,) = problems(folder, text, destination)
    return problem


OVERLAY = """\
environments:
  production:
    name: Hello there
    model:
      model_id: large
      params: {top_p: 0.5}
    tags: [live]
  staging:
    runtime: {max_iterations: 7}
"""


def test_mappings_are_merged_and_all_else_replaces(folder, valid):
    text = valid + "  params: {top_k: 5, top_p: 0.1}\n" + "tags: [a, b]\n" + OVERLAY
    agent = loaded(folder, text)
    there = agent.for_environment(PRODUCTION).blueprint
    assert (there.name, there.model.model_id, there.tags) == ("Hello there", "large", ("live",))
    assert there.model.params == {"top_k": 5, "top_p": 0.5}
    assert there.model.max_tokens == agent.blueprint.model.max_tokens == 500
    staging = agent.for_environment(STAGING).blueprint
    assert (staging.runtime.max_iterations, staging.runtime.idle_timeout_minutes, staging.name) == (7, 15, "Hello")
    assert agent.for_environment(LOCAL).blueprint.model_copy(update={"environments": agent.blueprint.environments}) == (
        agent.blueprint
    )


def test_null_takes_back_what_may_be_left_out(folder, valid):
    text = valid.replace("base_url: gateway", "base_url: https://a.example.com")
    agent = loaded(folder, text + "environments: {production: {model: {base_url: null}}}\n")
    assert agent.for_environment(PRODUCTION).blueprint.model.base_url is None
    assert agent.for_environment(STAGING).blueprint.model.base_url == "https://a.example.com"


def test_one_environments_overlay_is_no_part_of_anothers_bundle(folder, valid):
    plain, overlaid = loaded(folder, valid), loaded(folder, valid + OVERLAY)
    assert build_bundle(overlaid.for_environment(LOCAL)) == build_bundle(plain.for_environment(LOCAL))
    assert build_bundle(overlaid.for_environment(PRODUCTION)) != build_bundle(plain.for_environment(PRODUCTION))


def test_an_error_in_an_overlay_points_at_the_overlays_own_line(folder, valid):
    text = valid + "environments:\n  production:\n    model:\n      temperature: 3\n      temperatur: 1\n"
    first, second = problems(folder, text)
    assert (first.line, first.column, first.path) == (14, 20, "environments.production.model.temperature")
    assert (second.line, second.column, second.path) == (15, 7, "environments.production.model.temperatur")
    assert "did you mean temperature?" in second.hint


def test_what_an_overlay_makes_of_other_lines_names_the_environment(folder, valid):
    problem = only(folder, valid + "environments: {production: {model: {provider: bedrock}}}\n")
    assert (problem.line, problem.path) == (7, "model.base_url")
    assert problem.message.startswith("in production: base_url has no effect with provider bedrock")


def test_what_is_wrong_without_the_overlay_is_told_once(folder, valid):
    text = valid.replace("temperature: 0.2", "temperature: 3") + OVERLAY
    assert only(folder, text).path == "model.temperature"


def test_what_the_overlay_mends_is_wrong_elsewhere_still(folder, valid):
    text = (
        valid.replace("temperature: 0.2", "temperature: 3") + "environments: {production: {model: {temperature: 1}}}\n"
    )
    assert only(folder, text).line == 9


@pytest.mark.parametrize(
    ("overlay", "part"),
    [
        ("{prod: {}}", "unknown key 'prod'"),
        ("{production: {id: other}}", "the same in every environment"),
        ("{production: {environments: {}}}", "the same in every environment"),
        ("{production: 5}", "wants a mapping"),
        ("{production: {model: 5}}", "wants a mapping"),
        ("{production: {prompt_ref: missing}}", "there is no such file"),
        ("{production: {output_schema: missing}}", "there is no such file"),
        ("{production: {memory: {}}}", "not supported by this version"),
    ],
)
def test_an_overlay_is_as_strict_as_the_rest(folder, valid, overlay, part):
    assert any(part in problem.message for problem in problems(folder, valid + f"environments: {overlay}\n"))


def test_an_abbreviated_environment_is_understood(folder, valid):
    problem = only(folder, valid + "environments: {prod: {}}\n")
    assert "did you mean production?" in problem.hint


def test_overlays_may_share_an_anchor(folder, valid):
    text = valid + "environments:\n  staging: &real {model: {model_id: large}}\n  production: *real\n"
    agent = loaded(folder, text)
    assert {agent.for_environment(one).blueprint.model.model_id for one in (STAGING, PRODUCTION)} == {"large"}


VARIABLE = "${ACTIVE_MODEL:-demo}"


def test_variables_come_from_the_environment_and_the_blueprints_win(folder, valid):
    text = valid.replace("model_id: demo", f"model_id: {VARIABLE}")
    assert loaded(folder, text).blueprint.model.model_id == VARIABLE
    there = Destination(variables={"ACTIVE_MODEL": "theirs", "OTHER": "x"})
    assert loaded(folder, text).for_environment(STAGING).blueprint.model.model_id == "demo"
    assert loaded(folder, text).for_environment(there).blueprint.model.model_id == "theirs"
    agent = loaded(folder, text + "runtime: {environment: {ACTIVE_MODEL: ours}}\n").for_environment(there)
    assert agent.blueprint.model.model_id == "ours"
    assert agent.variables == {"ACTIVE_MODEL": "ours", "OTHER": "x"}


def test_an_overlay_may_set_the_variable_of_a_field_outside_it(folder, valid):
    text = valid.replace("model_id: demo", "model_id: ${ACTIVE_MODEL}")
    agent = loaded(folder, text + "environments: {production: {runtime: {environment: {ACTIVE_MODEL: large}}}}\n")
    assert agent.for_environment(PRODUCTION).blueprint.model.model_id == "large"
    with pytest.raises(InputError, match="in staging: the variable ACTIVE_MODEL is not set"):
        agent.for_environment(STAGING)


def test_an_unset_variable_is_named_at_its_field(folder, valid):
    problem = only(folder, valid.replace("model_id: demo", "model_id: x-${MISSING}"), STAGING)
    assert (problem.line, problem.path) == (8, "model.model_id")
    assert "MISSING is not set and has no default" in problem.message


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("https://169.254.169.254/v1", "metadata"),
        ("https://user:pw@a.example.com", "user name or a password"),
        ("https://10.0.0.5", "private address"),
        ("http://localhost:4000", "the machine itself"),
        ("ftp://a.example.com", "not an http or https address"),
        ("nonsense", "neither the word gateway nor an address"),
        ("https://${A}.example.com", "not expanded again"),
        ("", "neither the word gateway nor an address"),
    ],
)
def test_what_a_variable_puts_into_an_address_keeps_the_rules_of_addresses(folder, valid, value, part):
    text = valid.replace("base_url: gateway", "base_url: ${URL}")
    problem = only(folder, text, Destination(variables={"URL": value}))
    assert part in problem.message
    assert (problem.line, problem.path) == (7, "model.base_url")
    assert "pw" not in str(problem)


def test_loopback_is_for_the_local_environment(folder, valid):
    text = valid.replace("base_url: gateway", "base_url: http://127.0.0.1:4000/v1")
    assert loaded(folder, text).for_environment(LOCAL).blueprint.model.base_url
    assert "the machine itself" in only(folder, text, STAGING).message
    tool = valid + "tools: [{mcp: {url: http://localhost:9000/mcp}}]\n"
    assert only(folder, tool, STAGING).path == "tools[0].mcp.url"


GUARDED = """\
id: hello
name: Hello
version: 1.0.0
prompt_ref: hello
model: {model_id: anthropic.claude, temperature: 0.2, max_tokens: 500}
observability:
  data_protection: {provider: bedrock, guardrail_id_env: GUARD, guardrail_version_env: GUARD_VERSION}
"""


def test_a_guardrail_that_could_not_be_called_is_an_error(folder):
    first, second = problems(folder, GUARDED, STAGING)
    assert "GUARD is not set, so the guardrail could not be called" in first.message
    assert "GUARD_VERSION" in second.message
    there = Destination(variables={"GUARD": "gr-1", "GUARD_VERSION": "3"})
    assert loaded(folder, GUARDED).for_environment(there).variables["GUARD"] == "gr-1"


def test_variables_stay_within_what_a_runtime_takes(folder, valid):
    many = Destination(variables={f"V{number}": "x" for number in range(41)})
    assert "41 variables" in only(folder, valid, many).message
    # 1,536 bytes of platform V2, less 512 for our own.
    large = Destination(variables={"V": "x" * 1023})
    assert loaded(folder, valid).for_environment(large).variables == large.variables
    larger = Destination(variables={"V": "x" * 1024})
    problem = only(folder, valid, larger)
    assert "take 1,025 bytes" in problem.message
    assert problem.message.endswith("the largest: V 1,025")
    assert "V1 has room for more" in problem.hint
    assert loaded(folder, valid + "runtime: {platform_version: V1}\n").for_environment(larger)


def test_a_secret_is_no_plain_variable_of_an_environment(folder, valid):
    text = valid.replace("  base_url: gateway\n", "  base_url: gateway\n  api_key_env: THE_KEY\n")
    assert "THE_KEY is a secret" in only(folder, text, Destination(variables={"THE_KEY": "x"})).message


def test_production_takes_stable_prompts_only(folder, valid):
    folder.prompt("hello", "---\nstatus: draft\n---\nHi.\n")
    agent = loaded(folder, valid)
    assert (agent.prompt, agent.prompt_status) == ("Hi.\n", "draft")
    assert agent.for_environment(STAGING).prompt == "Hi.\n"
    problem = only(folder, valid, PRODUCTION)
    assert (problem.path, problem.line) == ("prompt_ref", 4)
    assert "is a draft, and production takes stable prompts only" in problem.message
    folder.prompt("hello@1.0.0", "---\nstatus: stable\n---\nHello.\n")
    text = valid + "environments: {production: {prompt_ref: hello@1.0.0}}\n"
    assert loaded(folder, text).for_environment(PRODUCTION).prompt == "Hello.\n"


def test_a_prompts_variables_are_expanded_and_its_text_is_bundled_without_front_matter(folder, valid):
    folder.prompt("hello", "---\nvariables: [COMPANY]\n---\nFor ${COMPANY:-us}: ${HOME}\n")
    agent = loaded(folder, valid)
    bundle = build_bundle(agent.for_environment(Destination(variables={"COMPANY": "Acme"})))
    assert read_bundle(bundle.content, bundle.sha256).prompt == "For Acme: ${HOME}\n"
    assert agent.for_environment(STAGING).prompt == "For us: ${HOME}\n"
    folder.prompt("hello", "---\nvariables: [COMPANY]\n---\nFor ${COMPANY}.\n")
    assert "COMPANY is not set" in only(folder, valid, STAGING).message


def test_everything_wrong_in_one_environment_is_told_in_one_run(folder, valid):
    folder.prompt("hello", "---\nstatus: draft\nvariables: [COMPANY]\n---\nFor ${COMPANY}.\n")
    text = valid.replace("model_id: demo", "model_id: ${A}").replace("base_url: gateway", "base_url: ${B}")
    found = [(problem.line, problem.path) for problem in problems(folder, text, PRODUCTION)]
    assert found == [(4, "prompt_ref"), (4, "prompt_ref"), (7, "model.base_url"), (8, "model.model_id")]
