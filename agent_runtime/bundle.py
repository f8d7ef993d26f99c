"""The bundle: all that a runtime needs to know of one agent, in one small file named by its hash.

Blueprint and prompt travel together, so a change of either moves one pointer of one agent and nothing else. Importing
this module loads no YAML reader: the runtime reads bundles, not blueprints.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from agent_runtime.blueprint import Blueprint
from agent_runtime.errors import EnvironmentFault

if TYPE_CHECKING:
    from agent_runtime.loader import LoadedBlueprint

FORMAT = 1
_MEND = "deploy the agent again"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle as stored.

    Attributes:
        sha256: Hash of the content, in hexadecimal; its name.
        content: Canonical JSON.
    """

    sha256: str
    content: bytes


@dataclass(frozen=True, slots=True)
class BundledAgent:
    """What a bundle holds.

    Attributes:
        blueprint: The blueprint, as validated at synth.
        prompt: Text of the system prompt.
        prompt_sha256: Hash of the prompt, in hexadecimal, to report which prompt answered.
        sha256: Hash of the bundle, in hexadecimal, to report which bundle answered.
        schemas: The JSON Schemas that the blueprint names, by name.
        schema_hashes: Hash of each, in hexadecimal, to report which schema an answer fits.
    """

    blueprint: Blueprint
    prompt: str
    prompt_sha256: str
    sha256: str
    schemas: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    schema_hashes: Mapping[str, str] = field(default_factory=dict)


def build_bundle(agent: LoadedBlueprint) -> Bundle:
    """Build the bundle of an agent; the same agent gives the same bytes on every machine.

    Args:
        agent: The agent.

    Returns:
        Its bundle.
    """
    # Defaults are written out: a runtime of another version must not fill in others.
    document = {
        "format": FORMAT,
        "blueprint": agent.blueprint.model_dump(mode="json"),
        "prompt": {"text": agent.prompt, "sha256": _sha256(agent.prompt.encode())},
        "schemas": {name: {"schema": one.schema, "sha256": one.sha256} for name, one in agent.schemas.items()},
    }
    content = _canonical(document)
    return Bundle(_sha256(content), content)


def read_bundle(content: bytes, sha256: str) -> BundledAgent:
    """Read a bundle, after making sure that it is the one that was deployed.

    Args:
        content: The bytes as stored.
        sha256: The hash that the runtime was told.

    Returns:
        The agent.

    Raises:
        EnvironmentFault: The bytes are not those of the hash, or were made for another version of the runtime.
    """
    found = _sha256(content)
    if found != sha256:
        raise EnvironmentFault(
            f"the bundle is not the one that was deployed: its hash is {found}, expected {sha256}; {_MEND}"
        )
    document: dict[str, Any] = json.loads(content)
    if document.get("format") != FORMAT:
        raise EnvironmentFault(
            f"the bundle {sha256} has format {document.get('format')}, this runtime reads {FORMAT}; {_MEND}"
        )
    try:
        blueprint = Blueprint.model_validate(document["blueprint"])
    except ValidationError as error:
        raise EnvironmentFault(
            f"the bundle {sha256} was made by another version of Strandline; {_MEND}: {error}"
        ) from None
    prompt, schemas = document["prompt"], document.get("schemas", {})
    return BundledAgent(
        blueprint,
        prompt["text"],
        prompt["sha256"],
        sha256,
        {name: one["schema"] for name, one in schemas.items()},
        {name: one["sha256"] for name, one in schemas.items()},
    )


def _canonical(document: Mapping[str, Any]) -> bytes:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
