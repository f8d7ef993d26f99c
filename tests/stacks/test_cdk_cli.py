"""`cdk synth '**'` as a person types it: the real CLI, without a network and without credentials."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

import pytest

from stacks.packaging import AGENTCORE, HOST, build_code_artefact
from stacks.packaging.interpreter import interpreter_for
from strandline.toolchain import node_bin
from tests.stacks.conftest import ENVIRONMENTS
from tests.stacks.projects import ROOT, Assembly, blueprint, write_project

CANARIES = {"OPENAI_API_KEY": "canary-7Qx2-provider", "KEY": "canary-9Zk4-agent", "LITELLM_MASTER_KEY": "canary-3Wv8"}
# Sessions of the local cloud and AgentCore's; built before the network goes, because wheels have to be fetched once.
AGENTS = [blueprint("a", model_api_key_env="KEY"), blueprint("b")]
WITH_DATABASE = ("Staging", "Production")
STACKS = {
    f"{stage}/{name}"
    for stage in map(str.capitalize, ENVIRONMENTS)
    for name in (
        "Network",
        "Secrets",
        "Checks",
        "Gateway",
        "Agent-a",
        "Agent-b",
        *(["Data"] if stage in WITH_DATABASE else []),
    )
}


@dataclass(frozen=True)
class Synth:
    """A run of the CLI and what it wrote."""

    status: int
    output: str
    assembly: Assembly


@pytest.fixture(scope="module")
def home() -> Path:
    """The developer's own `.strandline`, where the artefacts mostly lie already."""
    folder = ROOT / ".strandline"
    for target in (AGENTCORE, HOST):
        build_code_artefact(("light", "otel"), target, folder)
    return folder


def cdk_synth(root: Path, home: Path, *more: str, app: Path | None = None) -> Synth:
    out = root / "cdk.out"
    command = ["node_modules/.bin/cdk", "synth", "--quiet", "--strict", "--no-lookups", "--no-notices", "--no-color"]
    command += ["--output", str(out), "-c", f"environments={root / 'environments.yaml'}"]
    command += ["-c", f"blueprints={root / 'blueprints'}", *more, *(["--app", str(app)] if app else []), "**"]
    private = root / "nobody"
    private.mkdir(exist_ok=True)
    done = subprocess.run(
        [*without_network(), *command],
        cwd=ROOT,
        env={
            **CANARIES,
            "PATH": os.pathsep.join([str(node_bin()), "/usr/bin", "/bin", str(interpreter_for(AGENTCORE).path.parent)]),
            "HOME": str(private),
            "JSII_NODE": str(node_bin() / "node"),
            "STRANDLINE_HOME": str(home),
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "AWS_EC2_METADATA_DISABLED": "true",
            "UV_HTTP_RETRIES": "0",
            # Where there is no way to take the network away: every connection ends at a closed port.
            **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9"),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return Synth(done.returncode, done.stdout + done.stderr, Assembly(out))


def without_network() -> list[str]:
    unshare = shutil.which("unshare")
    if unshare and subprocess.run([unshare, "-rn", "true"], capture_output=True, check=False).returncode == 0:
        return [unshare, "-rn"]
    return []


@pytest.fixture(scope="module")
def synth(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Synth:
    root = write_project(tmp_path_factory.mktemp("project"), AGENTS, ENVIRONMENTS)
    return cdk_synth(root, home, "-c", "schemas=true")


def test_all_environments_synthesise_strictly_without_network_and_credentials(synth: Synth) -> None:
    assert synth.status == 0, synth.output
    assert set(synth.assembly.stacks) == STACKS
    assert "Warning" not in synth.output


def test_no_manifest_asks_for_a_lookup(synth: Synth) -> None:
    manifests = [*synth.assembly.folder.glob("**/manifest.json")]

    assert len(manifests) == 5
    assert all("missing" not in json.loads(manifest.read_text()) for manifest in manifests)
    assert all("dummy1a" not in json.dumps(document) for document in synth.assembly.documents.values())


def test_cdk_nag_and_cloudformations_schemas_find_nothing(synth: Synth) -> None:
    report = json.loads((synth.assembly.folder / "validation-report.json").read_text())

    # cdk-nag is in the report only with findings; that it looks is what the seeded finding below shows.
    assert "CloudFormation Validate" in {plugin["pluginName"] for plugin in report["pluginReports"]}
    assert [violation for plugin in report["pluginReports"] for violation in plugin["violations"]] == []


def test_cfn_lint_finds_no_error_and_no_warning(synth: Synth) -> None:
    templates = [str(path) for path in sorted(synth.assembly.folder.glob("**/*.template.json"))]
    # W3005: a DependsOn that a reference implies; CDK's constructs write both.
    # W3010: literal zones are the point; synth looks nothing up in AWS.
    done = subprocess.run(
        [str(ROOT / ".venv/bin/cfn-lint"), "--ignore-checks", "W3005", "W3010", "--", *templates],
        capture_output=True,
        text=True,
        check=False,
    )

    assert len(templates) == len(STACKS)
    assert (done.returncode, done.stdout) == (0, "")


def test_no_value_of_a_secret_in_the_environment_gets_into_anything(synth: Synth) -> None:
    written = [path.read_bytes() for path in synth.assembly.folder.rglob("*") if path.is_file()]
    assert len(written) > 50
    for value in CANARIES.values():
        for spelling in (
            value.encode(),
            base64.b64encode(value.encode()),
            urllib.parse.quote(value, safe="").encode(),
            value.encode().hex().encode(),
        ):
            assert not any(spelling in content for content in written)
            assert spelling.decode() not in synth.output


SEEDED = """
import runpy
import stacks.stage
from aws_cdk import aws_s3 as s3

class Seeded(stacks.stage.SecretsStack):
    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        s3.CfnBucket(self, "WithoutAnything")

stacks.stage.SecretsStack = Seeded
runpy.run_path("app.py", run_name="__main__")
"""


def test_the_same_command_fails_on_a_finding_of_cdk_nag(home: Path, tmp_path: Path) -> None:
    """Without this a gate that finds nothing could be a gate that looks at nothing."""
    root = write_project(tmp_path / "project", AGENTS[:1], {"simulation": ENVIRONMENTS["simulation"]})
    seeded = tmp_path / "app.sh"
    (tmp_path / "seeded.py").write_text(SEEDED)
    seeded.write_text(f"#!/bin/sh\nPYTHONPATH={ROOT} exec {ROOT}/.venv/bin/python {tmp_path / 'seeded.py'}\n")
    seeded.chmod(0o755)

    synth = cdk_synth(root, home, app=seeded)

    assert synth.status != 0
    assert "AwsSolutions-S1" in synth.output


def test_without_wheels_and_network_the_message_says_what_to_do(tmp_path: Path) -> None:
    root = write_project(tmp_path / "project", AGENTS[:1], {"simulation": ENVIRONMENTS["simulation"]})
    empty = tmp_path / "home"

    synth = cdk_synth(root, empty)

    assert synth.status != 0
    assert "uv cannot install light.lock, otel.lock for aarch64-manylinux_2_28, Python 3.13" in synth.output
    assert "Is the package index reachable from here?" in synth.output
    assert "Traceback" not in synth.output
