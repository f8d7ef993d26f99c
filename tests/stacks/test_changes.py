"""What a change of the user's files changes, and that nothing else changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent_runtime.errors import InputError
from tests.stacks.conftest import ENVIRONMENTS
from tests.stacks.projects import Assembly, blueprint, synthesise, write_project

if TYPE_CHECKING:
    from pathlib import Path


def files_of(assembly: Assembly) -> dict[str, bytes]:
    """Every file but the metadata, which the CDK CLI reads to print and CloudFormation never sees."""
    return {
        str(path.relative_to(assembly.folder)): path.read_bytes()
        for path in sorted(assembly.folder.rglob("*"))
        if path.is_file() and not path.name.endswith(".metadata.json")
    }


def changed(before: Assembly, after: Assembly) -> set[str]:
    return {path for path in before.documents if before.documents[path] != after.documents[path]}


def test_two_synths_in_two_folders_give_the_same_bytes(project: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "elsewhere" / "and deeper"
    second.parent.mkdir()

    one, other = files_of(synthesise(project, first)), files_of(synthesise(project, second))

    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []


def test_a_change_of_a_prompt_changes_one_bundle_in_one_template(project: Path, tmp_path: Path) -> None:
    before = synthesise(project, tmp_path / "before")
    (project / "blueprints" / "prompts" / "a.md").write_text("You are somebody else.\n")

    after = synthesise(project, tmp_path / "after")

    assert changed(before, after) == {"Simulation/Agent-a"}
    (old,) = bundles(before) - bundles(after)
    (new,) = bundles(after) - bundles(before)
    path = "Simulation/Agent-a"
    assert str(before.documents[path]).replace(old, new) == str(after.documents[path])


def bundles(assembly: Assembly) -> set[str]:
    return {path.name.removeprefix("asset.").removesuffix(".json") for path in assembly.folder.glob("asset.*.json")}


def test_a_renamed_variable_changes_its_agent_and_the_secrets_only(project: Path, tmp_path: Path) -> None:
    before = synthesise(project, tmp_path / "before")
    write_project(project, [blueprint("a", model_api_key_env="OTHER_KEY")], {"simulation": environment()})

    after = synthesise(project, tmp_path / "after")

    assert changed(before, after) == {"Simulation/Agent-a", "Simulation/Secrets"}


def test_a_new_agent_changes_no_template_of_another(project: Path, tmp_path: Path) -> None:
    before = synthesise(project, tmp_path / "before")
    write_project(project, [blueprint("c")], {"simulation": environment()})

    after = synthesise(project, tmp_path / "after")

    assert changed(before, after) == set()
    assert set(after.stacks) - set(before.stacks) == {"Simulation/Agent-c"}


def test_one_environment_alone_is_the_same_as_among_others(project: Path, tmp_path: Path) -> None:
    both = {"simulation": environment(), "staging": environment()}
    write_project(project, [], both)

    alone = synthesise(project, tmp_path / "alone", only="staging")
    among = synthesise(project, tmp_path / "among")

    assert set(alone.stacks) == {path for path in among.stacks if path.startswith("Staging/")}
    assert all(document == among.documents[path] for path, document in alone.documents.items())


def test_an_environment_that_is_not_in_the_file_is_refused_with_those_that_are(project: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no environment 'prod'; it has simulation"):
        synthesise(project, tmp_path / "out", only="prod")


def environment() -> dict[str, object]:
    return dict(ENVIRONMENTS["simulation"])
