"""Nothing that an import needs is trimmed: every module of the artefact is imported by the Python that it is for.

The wheels are the host's, the recipe is the artefact's. What cannot be imported, because it is for Windows or wants a
package that is not locked, cannot be imported of the untrimmed wheels either, for the same reason: that is compared.
`make test-artefacts` does this for every set; here it is the light one.
"""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from stacks.artefacts import FEATURES
from stacks.packaging import AGENTCORE, Target, build_code_artefact, install, lock_of
from stacks.packaging.interpreter import interpreter_for
from tests.stacks.projects import ROOT

PROGRAM = Path(__file__).with_name("import_all.py")
ADDED = ("light", *(feature for feature in FEATURES if feature not in {"light", "litellm"}))
SETS = [("light",), *([("litellm",), ADDED] if os.environ.get("STRANDLINE_EVERY_SET") else [])]


@dataclass(frozen=True)
class Imports:
    """What was imported, why the rest was not, and what had to be compiled for it."""

    modules: set[str]
    faults: dict[str, str]
    compiled: list[str]


@pytest.fixture(scope="module", params=SETS, ids="+".join)
def imports(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Imports, Imports]:
    """The modules of the artefact and those of the wheels as published."""
    features, folder = request.param, tmp_path_factory.mktemp("imports")
    target = Target("host", AGENTCORE.python)
    artefact = build_code_artefact(features, target, ROOT / ".strandline")
    with zipfile.ZipFile(artefact.path) as archive:
        archive.extractall(folder / "artefact")
    install.install([lock_of(feature) for feature in features], target, interpreter_for(target), folder / "wheels")
    with ThreadPoolExecutor() as pool:
        trimmed, published = pool.map(import_all, [folder / "artefact", folder / "wheels"])
    return trimmed, published


def import_all(folder: Path) -> Imports:
    result = folder.with_suffix(".json")
    python = interpreter_for(Target("host", AGENTCORE.python)).path
    # LiteLLM would fetch its prices.
    variables = {"PATH": os.defpath, "HOME": str(folder.parent), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    command = [str(python), "-I", "-S", "-B", str(PROGRAM), str(folder), str(result)]
    done = subprocess.run(command, env=variables, cwd=folder.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(result.read_text())
    return Imports(set(found["modules"]), found["faults"], found["compiled"])


def test_every_module_is_imported_as_if_nothing_were_trimmed(imports: tuple[Imports, Imports]) -> None:
    trimmed, published = imports
    shared = trimmed.modules & published.modules

    assert len(shared) > 1000
    assert {name: trimmed.faults[name] for name in shared if name in trimmed.faults} == {
        name: published.faults[name] for name in shared if name in published.faults
    }
    assert len(trimmed.faults) < len(shared) / 5


def test_of_modules_only_tests_and_examples_are_left_out(imports: tuple[Imports, Imports]) -> None:
    trimmed, published = imports

    left_out = {name for name in published.modules - trimmed.modules if not name.startswith("bin.")}

    assert left_out
    assert {name for name in left_out if not {"_examples", "test", "tests"} & set(name.split("."))} == set()


def test_the_handler_is_imported_whole_but_for_what_other_sets_bring(imports: tuple[Imports, Imports]) -> None:
    trimmed, _ = imports
    own = {name: fault for name, fault in trimmed.faults.items() if name.startswith(("agent_runtime", "main"))}

    allowed = ("ModuleNotFoundError: ", "EnvironmentFault: ")
    assert {name: fault for name, fault in own.items() if not fault.startswith(allowed)} == {}
    assert "agent_runtime.server" not in own
    assert "agent_runtime.invocation" not in own


def test_nothing_is_compiled_when_it_is_imported(imports: tuple[Imports, Imports]) -> None:
    trimmed, published = imports

    assert trimmed.compiled == []
    assert len(published.compiled) > 1000
