"""The build of the code artefact: the same bytes everywhere, made once, and clear when it cannot be made."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agent_runtime.errors import EnvironmentFault, InputError
from stacks.packaging import AGENTCORE, HOST, CodeArtefact, build, build_code_artefact, install, quotas
from stacks.packaging.interpreter import Interpreter
from stacks.user_code import UserCode
from tests.packaging.conftest import OF_MOST_AGENTS
from tests.stacks.projects import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

HASHED = "six==1.17.0 --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274\n"


def test_its_name_is_the_hash_of_its_bytes(artefact_of_most_agents: CodeArtefact) -> None:
    assert hashlib.sha256(artefact_of_most_agents.path.read_bytes()).hexdigest() == artefact_of_most_agents.sha256


def test_another_path_and_umask_and_time_and_python_and_processors_give_the_same_bytes(
    artefact_of_most_agents: CodeArtefact, tmp_path: Path
) -> None:
    # Given another machine, as far as one can be had: another folder for the project and for what it builds, another
    # umask, locale, hash seed and number of processors, and the system's own Python, another patch release than the one
    # that runs the tests, where there is one.
    project, home = tmp_path / "another", tmp_path / "and a much longer path"
    for package in ("agent_runtime", "stacks"):
        shutil.copytree(ROOT / package, project / package, ignore=shutil.ignore_patterns("__pycache__"))
    program = (
        "import os, sys\n"
        "os.cpu_count = lambda: 3\n"
        "from pathlib import Path\n"
        "from stacks.packaging import AGENTCORE, build_code_artefact\n"
        "print(build_code_artefact(sys.argv[2:], AGENTCORE, Path(sys.argv[1])).sha256)\n"
    )
    installed = [path for path in sys.path if "site-packages" in path]
    variables = {
        **{
            name: os.environ[name]
            for name in ("HOME", "PATH", "PYENV_ROOT", "SSL_CERT_FILE", "UV_CACHE_DIR")
            if name in os.environ
        },
        **{"PYTHONPATH": os.pathsep.join([str(project), *installed]), "PYTHONDONTWRITEBYTECODE": "1"},
        **{"LC_ALL": "C", "PYTHONHASHSEED": "7", "TZ": "Asia/Kolkata"},
    }
    command = [_another_python(), "-c", program, str(home), *OF_MOST_AGENTS]

    done = subprocess.run(
        command, env=variables, umask=0o077, cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.stdout.strip() == artefact_of_most_agents.sha256, done.stderr


def _another_python() -> str:
    system = Path("/usr/bin") / f"python{sys.version_info.major}.{sys.version_info.minor}"
    return str(system) if system.exists() else sys.executable


@pytest.fixture
def installs(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Stands in for uv: writes one module instead of installing, and notes the locks."""
    runs: list[list[str]] = []

    def write(locks: tuple[Path, ...], _target: object, _interpreter: object, tree: Path) -> None:
        runs.append([lock.name for lock in locks])
        tree.mkdir()
        (tree / "module.py").write_text(f"LOCKS = {runs[-1]}")

    monkeypatch.setattr(build, "install", write)
    monkeypatch.setattr(build, "wheels_of", lambda *_: {})
    monkeypatch.setattr(build, "compile_tree", lambda *_: None)  # has its own tests, and takes the most time
    return runs


def test_it_is_built_once(installs: list[list[str]], tmp_path: Path) -> None:
    first = build_code_artefact(("light",), AGENTCORE, tmp_path)
    second = build_code_artefact(("light",), AGENTCORE, tmp_path)

    assert first == second
    assert len(installs) == 1


def test_another_lock_is_another_artefact(installs: list[list[str]], tmp_path: Path) -> None:
    assert build_code_artefact(("light",), AGENTCORE, tmp_path) != build_code_artefact(
        ("litellm",), AGENTCORE, tmp_path
    )
    assert installs == [["light.lock"], ["litellm.lock"]]


def test_a_change_of_the_handler_is_another_artefact(
    installs: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = tmp_path / "agent_runtime"
    (sources / "requirements").mkdir(parents=True)
    (sources / "requirements" / "light.lock").write_text("lock")
    (sources / "main.py").write_text("one = 1")
    monkeypatch.setattr(build, "SOURCES", sources)
    monkeypatch.setattr(install, "SOURCES", sources)

    before = build_code_artefact(("light",), AGENTCORE, tmp_path)
    (sources / "main.py").write_text("two = 2")
    after = build_code_artefact(("light",), AGENTCORE, tmp_path)

    assert before.sha256 != after.sha256
    # The packages are taken from the first build.
    assert len(installs) == 1


def test_a_build_that_was_cut_off_is_not_taken_for_a_whole_one(installs: list[list[str]], tmp_path: Path) -> None:
    whole = build_code_artefact(("light",), AGENTCORE, tmp_path)
    whole.path.write_bytes(b"half a zip")
    whole.path.with_suffix(".sha256").unlink()  # the stamp is written last
    scratch = tmp_path / "artefacts" / ".building-cut-off"
    (scratch / "packages").mkdir(parents=True)

    again = build_code_artefact(("light",), AGENTCORE, tmp_path)

    assert again.sha256 == whole.sha256
    assert zipfile.is_zipfile(again.path)
    assert not scratch.exists()


def test_packages_that_were_cut_off_are_packed_again(installs: list[list[str]], tmp_path: Path) -> None:
    whole = build_code_artefact(("light",), AGENTCORE, tmp_path)
    whole.path.with_suffix(".sha256").unlink()
    (layer,) = (tmp_path / "artefacts").glob("*.layer")
    layer.write_bytes(b"half a zip")
    layer.with_suffix(".components").unlink()  # this is written last

    again = build_code_artefact(("light",), AGENTCORE, tmp_path)

    assert again.sha256 == whole.sha256
    assert len(installs) == 2


def test_no_scratch_stays_behind(installs: list[list[str]], tmp_path: Path) -> None:
    build_code_artefact(("light",), AGENTCORE, tmp_path)

    kinds = {path.suffix for path in (tmp_path / "artefacts").iterdir()}
    assert kinds == {"", ".components", ".json", ".layer", ".sha256", ".zip"}
    assert not list((tmp_path / "artefacts").glob(".building-*"))


def test_what_was_used_longest_ago_is_removed(
    installs: list[list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(build, "_KEPT", 2)
    artefacts = []
    for number, text in enumerate(["one = 1", "one = 2", "one = 3"]):
        code = UserCode((("module.py", text.encode()),), None)
        artefacts.append(build_code_artefact(("light",), AGENTCORE, tmp_path, code))
        os.utime(artefacts[-1].path, (number, number))
    other = build_code_artefact(("light",), AGENTCORE, tmp_path)

    build_code_artefact(("light",), AGENTCORE, tmp_path, UserCode((("module.py", b"one = 4"),), None))

    left = [artefact.path.exists() for artefact in [*artefacts, other]]
    assert left == [False, False, True, True]
    assert not artefacts[0].sbom.exists()
    assert not artefacts[0].path.with_suffix(".sha256").exists()
    assert len(list((tmp_path / "artefacts").glob("*.layer"))) == 2


@pytest.fixture
def uv_fails(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Stands in for a uv that says this and fails."""

    def fail(said: str) -> None:
        def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
            return subprocess.CompletedProcess(command, 1, "", said)

        monkeypatch.setattr(install.subprocess, "run", run)
        monkeypatch.setattr(build, "interpreter_for", lambda _: Interpreter(Path(sys.executable), "3.13.0"))

    return fail


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        ("error sending request for url", "Is the package index reachable from here?"),
        ("No space left on device (os error 28)", "Free some disk, or name another folder with STRANDLINE_HOME."),
    ],
)
def test_what_uv_says_is_passed_on_with_what_to_do(
    uv_fails: Callable[[str], None], tmp_path: Path, said: str, mend: str
) -> None:
    uv_fails(said)

    with pytest.raises(EnvironmentFault) as fault:
        build_code_artefact(("light",), AGENTCORE, tmp_path)

    assert said in str(fault.value)
    assert str(fault.value).endswith(mend)


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        (
            "In `--require-hashes` mode, all requirements must have a hash, but none were provided for: six",
            "made again",
        ),
        (
            "Because mkl==2024.2.2 has no wheels with a matching platform tag (e.g., `manylinux_2_28_aarch64`)",
            "aarch64.",
        ),
        ("Because a==1 has no usable wheels and building from source is disabled", "has a wheel for manylinux"),
    ],
)
def test_packages_of_the_user_that_cannot_run_there_are_the_users_to_mend(
    uv_fails: Callable[[str], None], tmp_path: Path, said: str, mend: str
) -> None:
    uv_fails(said)

    with pytest.raises(InputError) as fault:
        build_code_artefact(("light",), AGENTCORE, tmp_path)

    assert said in str(fault.value)
    assert mend in str(fault.value)


def test_a_full_disk_is_a_clear_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(build, "_build", no_room)

    with pytest.raises(EnvironmentFault, match=r"No space left on device.*free some disk.*STRANDLINE_HOME"):
        build_code_artefact(("light",), AGENTCORE, tmp_path)


def test_a_folder_that_cannot_be_written_is_a_clear_message(tmp_path: Path) -> None:
    (tmp_path / "artefacts").write_text("a file where the folder should be")

    with pytest.raises(EnvironmentFault, match=r"cannot be written to .*artefacts"):
        build_code_artefact(("light",), AGENTCORE, tmp_path)


@pytest.mark.parametrize("limit", ["MAXIMUM_ZIP_BYTES", "MAXIMUM_UNPACKED_BYTES"])
def test_more_than_agentcore_takes_is_refused_before_it_is_uploaded(
    installs: list[list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit: str
) -> None:
    monkeypatch.setattr(quotas, limit, 10)

    with pytest.raises(
        InputError, match=r"AgentCore takes .* The largest unpacked: agent_runtime \d+ MB, .*MCP server"
    ):
        build_code_artefact(("light",), AGENTCORE, tmp_path)

    assert not list((tmp_path / "artefacts").glob("*.zip"))


@pytest.mark.parametrize(
    ("lock", "said"),
    [
        ("six==1.17.0\n", r"all requirements must have a hash(.|\n)*requirements\.lock: it is made again"),
        (HASHED.replace("4721", "0000"), r"Hash mismatch(.|\n)*requirements\.lock: it is made again"),
    ],
)
def test_a_wheel_without_its_hash_is_refused(tmp_path: Path, lock: str, said: str) -> None:
    (tmp_path / "requirements.lock").write_text(lock)

    with pytest.raises(InputError, match=said):
        build_code_artefact((), HOST, tmp_path, UserCode((), tmp_path / "requirements.lock"))


def test_every_lock_of_ours_has_a_hash_for_every_package() -> None:
    for lock in sorted((ROOT / "agent_runtime" / "requirements").glob("*.lock")):
        lines = lock.read_text().replace("\\\n", "").splitlines()
        assert [line for line in lines if "==" in line and "--hash=sha256:" not in line] == [], lock.name
        assert any("==" in line for line in lines), lock.name
