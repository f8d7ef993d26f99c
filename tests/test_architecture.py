"""Imports go one way, strandline -> stacks -> gateway, agent_runtime; and the CDK CLI that is run is the pinned one."""

from __future__ import annotations

import ast
import fnmatch
import json
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CDK = {"aws_cdk", "cdk_nag", "constructs", "jsii"}
AWS = {"boto3", "botocore"}
FORBIDDEN = {
    "agent_runtime": {"strandline", "stacks", "gateway", *CDK},
    "gateway": {"strandline", "stacks", *CDK, *AWS},
    "gateway/proxy": {"strandline", "stacks", "agent_runtime", *CDK},
    "stacks/custom_resources": {"strandline", "gateway", "agent_runtime", *CDK},
    "stacks": {"strandline", *AWS},
    "strandline": {*CDK},
}
"""What no module of a package imports, at its top or in a function."""


def modules_of(node: ast.AST) -> set[str]:
    """What a statement may import, by full names; `from a import b` may mean `a` and `a.b`. Nothing of this package."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return set()


def imported(file: Path) -> set[str]:
    """Top-level packages that a file imports, wherever in it, except for type checkers only."""
    tree = ast.parse(file.read_text(), file.name)
    only_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in only_types:
            continue
        found |= {name.partition(".")[0] for name in modules_of(node)}
        if isinstance(node, ast.ImportFrom) and node.level:
            found.add(file.relative_to(ROOT).parts[0])
    return found


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_go_one_way(package: str) -> None:
    # What runs inside the proxy has rules of its own.
    own = [folder for folder in FORBIDDEN if folder.startswith(f"{package}/")]
    files = sorted(
        file for file in (ROOT / package).rglob("*.py") if not any(file.is_relative_to(ROOT / folder) for folder in own)
    )

    assert len(files) > 3
    wrong = {str(file.relative_to(ROOT)): imported(file) & FORBIDDEN[package] for file in files}
    assert {file: names for file, names in wrong.items() if names} == {}


def test_the_check_sees_an_import_inside_a_function_and_not_one_for_types(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import stacks.base\n"
        "def build():\n    from aws_cdk import aws_iam\n"
    )

    assert imported(file) == {"typing", "aws_cdk"}


def modules_after(statement: str) -> set[str]:
    """Top-level packages that a fresh interpreter holds after a statement."""
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["agent_runtime.blueprint", "agent_runtime.loader", "agent_runtime.bundle"])
def test_reading_a_blueprint_loads_neither_cdk_nor_a_provider(module: str) -> None:
    heavy = {*CDK, *AWS, "litellm", "openai", "anthropic", "strands", "bedrock_agentcore", "uvicorn"}

    assert not modules_after(f"import {module}") & heavy


@pytest.mark.parametrize("module", ["agent_runtime.blueprint", "agent_runtime.bundle"])
def test_what_the_runtime_reads_needs_no_yaml(module: str) -> None:
    assert "yaml" not in modules_after(f"import {module}")


@pytest.mark.parametrize("module", ["stacks.names", "stacks.environments", "stacks.project"])
def test_what_the_commands_read_loads_no_cdk(module: str) -> None:
    assert not modules_after(f"import {module}") & CDK


def test_the_command_line_loads_what_a_command_needs_when_it_runs() -> None:
    assert not modules_after("import strandline.cli") & {*CDK, *AWS, "pydantic", "yaml", "litellm", "openai", "strands"}


def pinned_cli() -> tuple[int, ...]:
    version = json.loads((ROOT / "package.json").read_text())["devDependencies"]["aws-cdk"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", version), "an exact version, not a range"
    return tuple(map(int, version.split(".")))


def test_the_cli_is_pinned_exactly_and_the_lock_agrees() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text())

    version = lock["packages"]["node_modules/aws-cdk"]["version"]
    assert tuple(map(int, version.split("."))) == pinned_cli()
    assert lock["packages"]["node_modules/aws-cdk"]["integrity"].startswith("sha512-")


def test_the_cli_is_of_major_version_two() -> None:
    """npm's `latest` tag of aws-cdk is an accidental 3.0.0 that cannot read today's assemblies."""
    assert pinned_cli()[0] == 2


def test_the_cli_reads_the_assemblies_that_the_library_writes() -> None:
    cli = (ROOT / "node_modules" / "aws-cdk" / "lib" / "index.js").read_text()
    # The library writes its schema's version into every manifest, and the CLI refuses one above its own.
    written = subprocess.run(
        [sys.executable, "-c", "import importlib.metadata as m; print(m.version('aws-cdk.cloud-assembly-schema'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    schema = re.search(r"cloud-assembly-schema/schema/version\.json.*?revision: (\d+)", cli, re.DOTALL)

    assert schema, "the CLI no longer carries its schema's revision where this test looks"
    assert int(schema[1]) >= int(written.partition(".")[0])


def test_cdk_json_runs_the_app_of_this_project_and_asks_before_it_broadens_rights() -> None:
    settings = json.loads((ROOT / "cdk.json").read_text())

    assert settings["app"] == ".venv/bin/python app.py"
    assert settings["requireApproval"] == "broadening"
    assert settings["versionReporting"] is False
    # A key of this kind is CDK's own: the CLI warns, and --strict would be noisy.
    assert not [key for key in settings["context"] if key.startswith("aws:")]


def cdk_modules(file: Path) -> set[str]:
    """Modules of aws_cdk that a file names, `from aws_cdk import Stack` as `aws_cdk` itself."""
    tree = ast.parse(file.read_text(), file.name)
    installed = Path(find_spec("aws_cdk").origin).parents[1]
    found = set().union(*(modules_of(node) for node in ast.walk(tree)))
    return {name for name in found if name.split(".")[0] == "aws_cdk" and installed.joinpath(*name.split(".")).is_dir()}


def test_mypy_reads_every_module_of_the_cdk_that_we_name() -> None:
    """One that it skips has no types, and nothing would say so."""
    overrides = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["overrides"]
    read = [module for one in overrides if one.get("follow_imports") == "normal" for module in one["module"]]
    files = [ROOT / "app.py", *(ROOT / "stacks").rglob("*.py")]
    named = set().union(*map(cdk_modules, files))

    assert len(named) > 10
    assert {name for name in named if not any(fnmatch.fnmatch(name, pattern) for pattern in read)} == set()
