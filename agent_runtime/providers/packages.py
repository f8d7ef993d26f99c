"""The packages of providers: what to install when one is missing, and versions that must not run.

Strandline's own lock files hold neither fault; a user's own pins may.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from importlib import metadata
from typing import TYPE_CHECKING

from agent_runtime.errors import EnvironmentFault

if TYPE_CHECKING:
    from collections.abc import Iterator

_OLDEST_LITELLM = (1, 84, 0)
_STOLEN_LITELLM = ("1.82.7", "1.82.8")
_MEND = "pin litellm>=1.84.0 and deploy again"


@contextmanager
def packages_of(provider: str, *, packages: tuple[str, ...], extra: str, dependency_set: str) -> Iterator[None]:
    """Says what to install when an import inside fails because a provider's package is not there.

    Args:
        provider: The blueprint's word for the provider.
        packages: Top-level modules that the provider needs.
        extra: Extra of `strands-agents` that brings them.
        dependency_set: Lock file in `agent_runtime/requirements` that brings them.

    Yields:
        Nothing.

    Raises:
        EnvironmentFault: One of the packages is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in packages:
            raise
        raise EnvironmentFault(
            f"Provider {provider} needs the package {missing}, which is not installed: add the dependency set "
            f"{dependency_set} (agent_runtime/requirements/{dependency_set}.lock) to the artefact and deploy again, "
            f"or run pip install 'strands-agents[{extra}]'."
        ) from None


def refuse_unsafe_litellm() -> None:
    """Refuses versions of LiteLLM that must not run, whether or not this agent would import it.

    Raises:
        EnvironmentFault: One of them is installed.
    """
    try:
        version = metadata.version("litellm")
    except metadata.PackageNotFoundError:
        return
    if version in _STOLEN_LITELLM:
        raise EnvironmentFault(
            f"litellm {version} is installed, which is malware (CVE-2026-33634): it steals credentials as soon as "
            f"Python starts. Replace every credential that this machine could read, {_MEND}."
        )
    if _numbers(version) < _OLDEST_LITELLM:
        raise EnvironmentFault(
            f"litellm {version} is installed; versions before 1.84.0 have known holes (CVE-2026-49468): {_MEND}."
        )


def _numbers(version: str) -> tuple[int, ...]:
    release = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(number) for number in release[0].split(".")) if release else ()
