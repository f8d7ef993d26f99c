"""What the protocols cost: in the artefact, and in the memory of agents that do not speak them."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / "agent_runtime" / "requirements"


def pins(name):
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ \\;]+)", (LOCKS / f"{name}.lock").read_text(), re.MULTILINE))


@pytest.mark.parametrize("other", sorted(path.stem for path in LOCKS.glob("*.lock")))
def test_the_lock_fits_every_set_that_it_is_installed_with(other):
    ours, theirs = pins("a2a"), pins(other)
    assert {name: theirs[name] for name in ours.keys() & theirs.keys()} == {
        name: ours[name] for name in ours.keys() & theirs.keys()
    }


def test_the_tests_run_with_the_versions_of_the_artefact():
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    installed = {package["name"]: package.get("version") for package in packages}
    assert {name: installed.get(name) for name in pins("a2a")} == pins("a2a")


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("agent_runtime.server", {"a2a", "mcp", "google"}),
        ("agent_runtime.protocols", {"a2a", "mcp", "google", "starlette"}),
        ("agent_runtime.protocols.mcp", {"a2a", "google"}),
    ],
)
def test_an_agent_imports_its_own_protocol_only(module, absent):
    code = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not absent & set(done.stdout.split())
