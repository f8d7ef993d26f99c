"""The tools that the project brings: Node, and environments built from a lock."""

from __future__ import annotations

import subprocess
import sys

import pytest

from agent_runtime.errors import EnvironmentFault
from strandline import toolchain

# Two processes that build the same environment at once; each prints where it is.
_BUILD = """
import sys
from pathlib import Path
from strandline.toolchain import ensure_virtual_environment
print(ensure_virtual_environment("empty", Path(sys.argv[1]), Path(sys.argv[2])))
"""


@pytest.fixture
def lock(tmp_path):
    path = tmp_path / "empty.lock"
    path.write_text("# nothing\n")
    return path


def test_node_is_there():
    shown = subprocess.run([toolchain.node_bin() / "node", "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("v")


def test_node_that_is_missing_is_told_with_its_mend(monkeypatch):
    monkeypatch.setattr(toolchain, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentFault, match="make setup"):
        toolchain.node_bin()


def test_two_processes_build_one_environment(lock, tmp_path):
    command = [sys.executable, "-c", _BUILD, str(lock), str(tmp_path)]
    builders = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    shown = {builder.communicate()[0].strip() for builder in builders}
    assert [builder.returncode for builder in builders] == [0, 0]
    assert shown == {str(toolchain.virtual_environment_path("empty", lock, tmp_path))}


def test_an_interrupted_build_is_done_again_and_another_lock_is_another_environment(lock, tmp_path):
    half = toolchain.virtual_environment_path("empty", lock, tmp_path)
    (half / "bin").mkdir(parents=True)
    built = toolchain.ensure_virtual_environment("empty", lock, tmp_path)
    assert built == half
    assert (built / "bin" / "python").exists()
    lock.write_text("# something else\n")
    assert toolchain.virtual_environment_path("empty", lock, tmp_path) != built


def test_a_package_that_cannot_be_installed_is_told_in_one_line(lock, tmp_path):
    lock.write_text("ministack==1.5.33 --hash=sha256:" + "0" * 64 + "\n")
    with pytest.raises(EnvironmentFault, match="could not install") as fault:
        toolchain.ensure_virtual_environment("broken", lock, tmp_path)
    assert "\n" not in str(fault.value)
    assert not toolchain.is_built(toolchain.virtual_environment_path("broken", lock, tmp_path))


def test_a_home_that_is_a_file_is_told(lock, tmp_path):
    home = tmp_path / "home"
    home.write_text("in the way")
    with pytest.raises(EnvironmentFault, match="cannot build the environment"):
        toolchain.ensure_virtual_environment("empty", lock, home)
