"""What a secret is used for: by whom, and which question tells whether a new value works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stacks.names import GATEWAY
from strandline.rotation.verifiers import Probe, probe_of_provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent_runtime.blueprint import Blueprint
    from gateway.settings import GatewaySettings
    from stacks.environments import Environment
    from stacks.project import Project


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a secret.

    Attributes:
        by: Id of the agent, or `GATEWAY`, which reads its secrets when a task starts; agents read while they run.
        probe: The question that a new value has to answer; `None` where none is known.
        key: Variable of the key that goes with the question; `None` where it is asked without one.
        headers: Variables of the headers that go with it, by header.
    """

    by: str
    probe: Probe | None
    key: str | None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def variables(self) -> frozenset[str]:
        """The variables that the question needs."""
        return frozenset({name for name in (self.key, *(value for _, value in self.headers)) if name})


def uses_of(project: Project, environment: Environment, variable: str) -> list[Use]:
    """Finds who uses a secret, and for what.

    Args:
        project: The user's files.
        environment: Where.
        variable: Name of the variable.

    Returns:
        Its uses; the same question of two users is there twice.
    """
    users = project.secret_users(environment).get(variable, ())
    found: list[Use] = []
    for agent in project.agents_of(environment):
        if agent.blueprint.id in users:
            found += _of_agent(agent.blueprint, variable)
    if GATEWAY in users and project.gateway:
        found += _of_gateway(project.gateway, variable)
    return found


def _of_agent(blueprint: Blueprint, variable: str) -> Iterator[Use]:
    model = blueprint.model
    headers = tuple(sorted(model.extra_headers_env.items()))
    if variable not in {model.api_key_env, *model.extra_headers_env.values()}:
        # A tool's, or a receiver's of traces: nothing here knows what it opens.
        yield Use(blueprint.id, None, None)
        return
    provider, _, name = model.model_id.partition("/") if model.base_url is None else (model.provider, "", "")
    if model.provider != "litellm":
        provider = model.provider
    # Behind an address every provider but Anthropic's own speaks OpenAI's protocol.
    if model.base_url is not None and provider != "anthropic":
        provider = "openai"
    probe = probe_of_provider(provider, base_url=model.base_url, model=name or model.model_id)
    yield Use(blueprint.id, probe, model.api_key_env, headers)


def _of_gateway(settings: GatewaySettings, variable: str) -> Iterator[Use]:
    deployments = [one for model in settings.models.values() for one in model.all_deployments]
    for one in deployments:
        if one.api_key_env != variable:
            continue
        provider, _, name = one.model.partition("/")
        probe = probe_of_provider(
            provider, base_url=one.api_base, region=one.region, api_version=one.api_version, model=name
        )
        yield Use(GATEWAY, probe, variable)
    if variable in settings.callbacks.secret_names:
        yield Use(GATEWAY, None, None)
