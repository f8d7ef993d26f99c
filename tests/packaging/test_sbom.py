"""The bill of materials: CycloneDX by its own schema, and true of what was installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from stacks.packaging.install import Wheel, lock_of
from stacks.packaging.sbom import bill_of_materials, components_of, read_components, write_components
from tests.packaging.conftest import OF_MOST_AGENTS

if TYPE_CHECKING:
    from stacks.packaging import CodeArtefact

# Whoever deploys an agent passes these on: licences that ask for no more than to be told.
LICENCES = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CNRI-Python", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0"),
    *("Unlicense", "ZPL-2.1", "AND", "OR"),
}
LICENCE_NAMES = {
    *("Apache License 2.0", "Apache License, Version 2.0", "Apache Software License", "Apache 2.0", "Apache-2.0"),
    *("BSD", "BSD License", "3-Clause BSD License", "BSD-3-Clause", "Dual License", "ISC License (ISCL)", "MIT"),
    *("MIT License", "MPL-2.0", "Mozilla Public License 2.0 (MPL 2.0)", "Python Software Foundation License"),
}


@pytest.fixture(scope="module")
def bill(artefact_of_most_agents: CodeArtefact) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(artefact_of_most_agents.sbom.read_text())
    return document


def described(tree: Path, name: str, metadata: str, wheel: str = "Tag: py3-none-any") -> None:
    info = tree / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n{metadata}\n\nA page.\n")
    (info / "WHEEL").write_text(f"Wheel-Version: 1.0\n{wheel}\n")


def test_it_is_valid_by_the_schema_of_cyclonedx(bill: dict[str, Any]) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None


def test_every_package_has_its_url_its_wheel_and_the_hash_that_the_lock_allows(bill: dict[str, Any]) -> None:
    allowed = "".join(lock_of(feature).read_text() for feature in OF_MOST_AGENTS)

    assert len(bill["components"]) > 40
    for component in bill["components"]:
        (digest,) = component["hashes"]
        assert component["purl"] == f"pkg:pypi/{component['name']}@{component['version']}"
        assert f"sha256:{digest['content']}" in allowed, component["name"]
        assert component["externalReferences"][0]["url"].endswith(".whl"), component["name"]


def test_native_packages_are_those_of_graviton(bill: dict[str, Any]) -> None:
    wheels = [component["externalReferences"][0]["url"] for component in bill["components"]]

    native = [wheel for wheel in wheels if not wheel.endswith("-any.whl")]
    assert native
    assert [wheel for wheel in native if "aarch64" not in wheel] == []


def test_every_licence_is_one_that_may_be_passed_on(bill: dict[str, Any]) -> None:
    for component in bill["components"]:
        for licence in component["licenses"]:
            if "expression" in licence:
                words = licence["expression"].replace("(", " ").replace(")", " ").split()
                assert set(words) <= LICENCES, component["name"]
            else:
                assert licence["license"]["name"] in LICENCE_NAMES, component["name"]


def test_it_tells_what_compiled_the_artefact_and_no_time(bill: dict[str, Any]) -> None:
    properties = {entry["name"]: entry["value"] for entry in bill["metadata"]["properties"]}

    assert properties["strandline:compiler"].startswith("CPython 3.13.")
    assert properties["strandline:platform"] == "aarch64-manylinux_2_28"
    assert "timestamp" not in bill["metadata"]


def test_of_several_wheels_the_installed_one_is_told(tmp_path: Path) -> None:
    described(tmp_path, "Fast.Thing", "License-Expression: MIT", "Tag: cp313-cp313-manylinux_2_28_aarch64")
    plain = Wheel("https://host/fast_thing-1.0-py3-none-any.whl", "aa")
    native = Wheel("https://host/fast_thing-1.0-1-cp313-cp313-manylinux_2_17_aarch64.manylinux_2_28_aarch64.whl", "bb")

    (component,) = components_of(tmp_path, {("fast-thing", "1.0"): [plain, native]})

    assert (component.name, component.sha256, component.url) == ("fast-thing", "bb", native.url)


@pytest.mark.parametrize(
    ("metadata", "expression", "names"),
    [
        ("License-Expression: Apache-2.0 AND MIT", "Apache-2.0 AND MIT", ()),
        ("License: BSD-3-Clause", None, ("BSD-3-Clause",)),
        ("License: Long\n        text\nClassifier: License :: OSI Approved :: MIT License", None, ("MIT License",)),
        ("Classifier: License :: OSI Approved", None, ()),
    ],
)
def test_a_licence_is_told_as_the_package_tells_it(
    tmp_path: Path, metadata: str, expression: str | None, names: tuple[str, ...]
) -> None:
    described(tmp_path, "thing", metadata)

    (component,) = components_of(tmp_path, {})

    assert (component.license_expression, component.license_names) == (expression, names)


def test_what_comes_from_elsewhere_than_an_index_is_listed_without_a_hash(tmp_path: Path) -> None:
    described(tmp_path, "thing", "License: MIT")
    components = components_of(tmp_path, {})
    write_components(components, tmp_path / "kept")

    bill = bill_of_materials("light", "ab" * 32, read_components(tmp_path / "kept"), {})

    assert "hashes" not in bill["components"][0]
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None
