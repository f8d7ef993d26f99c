"""What the synthesis makes of an agent: its stack's template, without the bundle's name."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent_runtime.bundle import build_bundle
from agent_runtime.user_code import needs_user_code
from stacks.artefacts import features_of
from stacks.packaging import AGENTCORE, CodeArtefact

if TYPE_CHECKING:
    from agent_runtime.loader import LoadedBlueprint
    from stacks.environments import Environment


def synthesised(agent: LoadedBlueprint, environment: Environment) -> Any:
    """Synthesises the stack of one agent.

    Args:
        agent: The agent as it is in the environment.
        environment: The environment.

    Returns:
        The template: role, runtime, variables, log group. The bundle's hash, which any change of a blueprint changes,
        is taken out; the code artefact stands for the packages that the agent needs.
    """
    import aws_cdk as cdk

    from stacks.agent_stack import AgentStack, Payload, Surroundings
    from stacks.synthesis import create_app

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        app = create_app(outdir=str(folder / "out"))
        stage = cdk.Stage(
            app, environment.stage_id, env=cdk.Environment(account=environment.account, region=environment.region)
        )
        AgentStack(
            stage,
            "Agent",
            environment=environment,
            agent=agent,
            payload=Payload(build_bundle(agent), _artefact(agent, folder)),
            surroundings=Surroundings(
                "arn:aws:lambda:gate",
                "http://gateway.example.com:4000",
                ["subnet-1"],
                ["sg-1"],
                gateway_keys="arn:aws:lambda:keys",
            ),
        )
        app.synth()
        (template,) = (folder / "out").glob("**/*.template.json")
        return json.loads(template.read_text().replace(build_bundle(agent).sha256, "<bundle>"))


def _artefact(agent: LoadedBlueprint, folder: Path) -> CodeArtefact:
    """Stands in for the zip, whose name is the hash of what goes into it."""
    needs = (features_of(agent.blueprint), needs_user_code(agent.blueprint))
    path = folder / "artefact.zip"
    path.write_text(str(needs))
    return CodeArtefact(path, hashlib.sha256(path.read_bytes()).hexdigest(), AGENTCORE)
