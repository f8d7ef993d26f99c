"""The Python that compiles: the pinned release, another one of its minor version, or a clear word on how to get one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agent_runtime.errors import EnvironmentFault
from stacks.packaging import AGENTCORE, HOST, Target, interpreter
from stacks.packaging.interpreter import PINNED, Interpreter, interpreter_for


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A machine with the programs that a test puts on it, and a uv that can download what a test says."""

    class Machine:
        downloads: tuple[str, ...] = ()
        asked: list[tuple[str, ...]] = []  # noqa: RUF012 - a fresh class for each test

        def has(self, version: str) -> Path:
            program = tmp_path / "versions" / version / "bin" / "python"
            program.parent.mkdir(parents=True)
            program.write_text(f"#!/bin/sh\necho {version}\n")
            program.chmod(0o755)
            return program

        def uv(self, *arguments: str) -> str | None:
            self.asked.append(arguments)
            version = arguments[-1]
            if arguments[0] == "install" and version in self.downloads:
                self.managed = self.has(version)
                return ""
            return str(self.managed) if arguments[0] == "find" and hasattr(self, "managed") else None

    machine = Machine()
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setattr(interpreter, "_uv", machine.uv)
    return machine


def test_the_pinned_release_is_taken_before_a_newer_one(machine) -> None:
    machine.has("3.13.9")
    pinned = machine.has(PINNED["3.13"])

    assert interpreter_for(AGENTCORE) == Interpreter(pinned, PINNED["3.13"])
    assert machine.asked == []


def test_a_shim_that_leads_nowhere_is_passed_over(machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shim = tmp_path / "shims" / "python3.13"
    shim.parent.mkdir()
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.13: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(shim.parent))
    pinned = machine.has(PINNED["3.13"])

    assert interpreter_for(AGENTCORE).path == pinned


def test_the_pinned_release_is_downloaded_where_it_can_be(machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.has("3.13.9")
    machine.downloads = (PINNED["3.13"],)

    assert interpreter_for(AGENTCORE).version == PINNED["3.13"]
    assert "looked for by uv" in capsys.readouterr().err


def test_another_patch_release_stands_in_and_that_is_told(machine, capsys: pytest.CaptureFixture[str]) -> None:
    for version in ("3.13.2", "3.13.11", "3.13.9"):
        machine.has(version)

    assert interpreter_for(AGENTCORE).version == "3.13.11"
    assert "its hash may differ from that of another machine" in capsys.readouterr().err


def test_where_there_is_none_it_is_told_how_to_get_one(machine) -> None:
    machine.has("3.12.4")

    with pytest.raises(
        EnvironmentFault, match=r"install it so that `python3\.13` runs, or run `uv python install 3\.13\.0`"
    ):
        interpreter_for(AGENTCORE)


def test_the_host_is_compiled_for_by_the_python_that_runs(machine) -> None:
    assert interpreter_for(HOST).path == Path(sys.executable)
    assert machine.asked == []


def test_a_newer_minor_version_whose_name_begins_alike_is_another(machine) -> None:
    machine.has("3.130.1")

    with pytest.raises(EnvironmentFault):
        interpreter_for(Target("host", "3.13"))
