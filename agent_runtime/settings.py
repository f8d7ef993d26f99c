"""What the deployment tells the handler: pointers in the environment, never a value of a secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent_runtime.errors import EnvironmentFault
from agent_runtime.secret_store import CACHE_SECONDS, STALE_SECONDS, CachePolicy

if TYPE_CHECKING:
    from collections.abc import Mapping

_REQUIRED = ("STRANDLINE_ENVIRONMENT", "STRANDLINE_EXECUTION_MODE", "STRANDLINE_BUNDLE", "STRANDLINE_SECRETS")
_PORTS = range(1, 65536)


@dataclass(frozen=True, slots=True)
class RuntimeSettings:
    """The runtime's environment variables, read once at start.

    Attributes:
        environment: Name of the environment, such as `production`.
        execution_mode: `simulation`, `staging` or `production`.
        bundle: Where the agent's bundle lies, `s3://<bucket>/<sha256>.json`.
        secret_prefix: What stands before a variable's name in its secret's name, such as `strandline/production/`.
        gateway_url: Address of the gateway that this environment deploys, if the agent uses it.
        gateway_key: Variable whose secret opens that gateway, for a blueprint that names no key of its own.
        host: Address to serve on; AgentCore calls all interfaces, the local cloud names a loopback address.
        port: Port to serve on, where it is not the one of AgentCore's contract.
        secret_cache: How old a secret's value may get; a drill shortens it.
        simulated: Whether the model is simulated at that gateway, whatever endpoint the blueprint names.
    """

    environment: str
    execution_mode: str
    bundle: str
    secret_prefix: str
    gateway_url: str | None
    gateway_key: str | None
    host: str
    port: int | None
    secret_cache: CachePolicy = field(default_factory=CachePolicy)
    simulated: bool = False

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> RuntimeSettings:
        """Reads the settings.

        Args:
            variables: The process's environment.

        Returns:
            The settings.

        Raises:
            EnvironmentFault: A variable that the deployment sets is missing or wrong.
        """
        missing = [name for name in _REQUIRED if not variables.get(name)]
        if missing:
            raise EnvironmentFault(
                f"The environment variables {', '.join(missing)} are not set: "
                "this handler is started by the runtime that `cdk deploy` creates, which sets them."
            )
        return cls(
            environment=variables["STRANDLINE_ENVIRONMENT"],
            execution_mode=variables["STRANDLINE_EXECUTION_MODE"],
            bundle=variables["STRANDLINE_BUNDLE"],
            secret_prefix=variables["STRANDLINE_SECRETS"],
            gateway_url=variables.get("STRANDLINE_GATEWAY_URL") or None,
            gateway_key=variables.get("STRANDLINE_GATEWAY_KEY") or None,
            host=variables.get("STRANDLINE_HOST", "0.0.0.0"),  # noqa: S104 - AgentCore's contract; the microVM is the wall
            port=_port(variables.get("STRANDLINE_PORT")),
            secret_cache=CachePolicy(
                ttl=_seconds(variables, "STRANDLINE_SECRETS_TTL", CACHE_SECONDS),
                stale=_seconds(variables, "STRANDLINE_SECRETS_STALE", STALE_SECONDS),
            ),
            simulated=_is_simulated(variables),
        )


def _is_simulated(variables: Mapping[str, str]) -> bool:
    told = variables.get("STRANDLINE_SIMULATED") == "true"
    if told and variables["STRANDLINE_EXECUTION_MODE"] != "simulation":
        raise EnvironmentFault(
            "STRANDLINE_SIMULATED is set and the execution mode is "
            f"{variables['STRANDLINE_EXECUTION_MODE']}: models are simulated in simulation only."
        )
    return told


def _port(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or int(text) not in _PORTS:
        raise EnvironmentFault(f"STRANDLINE_PORT is {text!r}: it must be a port, 1 to {_PORTS[-1]}.")
    return int(text)


def _seconds(variables: Mapping[str, str], name: str, default: float) -> float:
    text = variables.get(name)
    if text is None:
        return default
    if not text.isdecimal() or int(text) == 0:
        raise EnvironmentFault(f"{name} is {text!r}: it must be a number of seconds, 1 or more.")
    return float(text)
