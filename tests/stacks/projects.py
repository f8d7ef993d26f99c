"""Projects written by tests, and what a synth makes of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from stacks.packaging import AGENTCORE, CodeArtefact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aws_cdk.assertions import Template

ROOT = Path(__file__).resolve().parents[2]
GATEWAY = {"models": {"demo": {"model": "openai/gpt-4.1-mini", "api_key_env": "OPENAI_API_KEY"}}}


def blueprint(agent: str, **fields: Any) -> dict[str, Any]:
    """An agent behind the gateway; fields of the model are named model_..., others replace those of the blueprint."""
    model = {"provider": "litellm", "base_url": "gateway", "model_id": "demo", "temperature": 0.2, "max_tokens": 500}
    model |= {name.removeprefix("model_"): value for name, value in fields.items() if name.startswith("model_")}
    document = {
        "id": agent,
        "name": f"Agent {agent}",
        "version": "1.0.0",
        "prompt_ref": agent,
        "model": {name: value for name, value in model.items() if value is not None},
        "execution_modes": {"simulation": True, "staging": True, "production": True},
    }
    return document | {name: value for name, value in fields.items() if not name.startswith("model_")}


def bedrock(agent: str, model_id: str, **fields: Any) -> dict[str, Any]:
    return blueprint(agent, model_provider="bedrock", model_base_url=None, model_model_id=model_id, **fields)


def write_project(
    root: Path,
    agents: list[dict[str, Any]],
    environments: Mapping[str, Mapping[str, Any]],
    gateway: Mapping[str, Any] | None = GATEWAY,
) -> Path:
    """Writes the user's files. All environments deploy these; what was promoted is looked at in tests/releases."""
    for folder in ("agents", "prompts"):
        (root / "blueprints" / folder).mkdir(parents=True, exist_ok=True)
    written = {name: {"releases": "working-tree", **settings} for name, settings in environments.items()}
    (root / "environments.yaml").write_text(yaml.safe_dump({"environments": written}))
    if gateway:
        (root / "blueprints" / "gateway.yaml").write_text(yaml.safe_dump(dict(gateway)))
    for agent in agents:
        (root / "blueprints" / "agents" / f"{agent['id']}.yaml").write_text(yaml.safe_dump(agent))
        (root / "blueprints" / "prompts" / f"{agent['prompt_ref']}.md").write_text(f"You are {agent['name']}.\n")
    return root


@dataclass(frozen=True)
class Assembly:
    """A synthesised cloud assembly."""

    folder: Path

    @cached_property
    def stacks(self) -> dict[str, dict[str, Any]]:
        """The stacks' artifacts by their path, such as `Simulation/Agent-a`."""
        return {
            artifact["displayName"]: {**artifact, "folder": manifest.parent}
            for manifest in sorted(self.folder.glob("**/manifest.json"))
            for artifact in json.loads(manifest.read_text()).get("artifacts", {}).values()
            if artifact["type"] == "aws:cloudformation:stack"
        }

    @cached_property
    def documents(self) -> dict[str, dict[str, Any]]:
        """The templates by the path of their stack."""
        return {
            path: json.loads((stack["folder"] / stack["properties"]["templateFile"]).read_text())
            for path, stack in self.stacks.items()
        }

    def template(self, path: str) -> Template:
        """A template for fine-grained assertions."""
        from aws_cdk.assertions import Template

        return Template.from_json(self.documents[path])

    def resources(self, kind: str, under: str = "") -> Iterator[tuple[str, str, dict[str, Any]]]:
        """All resources of a type: path of the stack, logical id, resource."""
        for path, document in self.documents.items():
            for name, resource in document.get("Resources", {}).items():
                if path.startswith(under) and resource["Type"] == kind:
                    yield path, name, resource

    def one(self, path: str, kind: str) -> dict[str, Any]:
        """Properties of a stack's only resource of a type."""
        (found,) = [resource for stack, _, resource in self.resources(kind, path) if stack == path]
        properties: dict[str, Any] = found.get("Properties", {})
        return properties


def fake_artefact(folder: Path) -> CodeArtefact:
    """Stands in for the code artefact, where a test looks at templates only."""
    path = folder / "artefact.zip"
    path.write_bytes(b"not a zip")
    return CodeArtefact(path, hashlib.sha256(path.read_bytes()).hexdigest(), AGENTCORE)


def synthesise(root: Path, out: Path, *, only: str | None = None) -> Assembly:
    """Synthesises a project in this process, with cdk.json's settings and cdk-nag."""
    import pytest

    from stacks.project import Inputs
    from stacks.synthesis import build_app, create_app

    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    inputs = Inputs(root / "environments.yaml", root / "blueprints", root / ".strandline")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stacks.artefacts.build_code_artefact", lambda *_: fake_artefact(root))
        build_app(create_app(outdir=str(out), context=context), inputs, only=only).synth()
    return Assembly(out)


def text_of(value: Any) -> str:
    """Writes a CloudFormation value as text, what CloudFormation fills in as <...>."""
    if isinstance(value, dict) and len(value) == 1:
        (function, argument), *_ = value.items()
        if function == "Fn::Join":
            return str(argument[0]).join(text_of(part) for part in argument[1])
        if function in ("Ref", "Fn::GetAtt", "Fn::ImportValue"):
            return f"<{'.'.join(argument) if isinstance(argument, list) else argument}>"
        raise AssertionError(f"unexpected function {function}")
    return str(value)
