"""The bill of materials beside the artefact: CycloneDX 1.6, without a time or a random number in it."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stacks.packaging.trim import normalised

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stacks.packaging.install import Wheel

_NAMESPACE = uuid.UUID("5d4d2f6e-6d0d-5c3b-9a55-3b1f3c1e9b70")
_CLASSIFIER = "License :: "
_LONGEST_LICENSE_NAME = 100


@dataclass(frozen=True, slots=True)
class Component:
    """A package in the artefact.

    Attributes:
        name: Its normalised name.
        version: Its version.
        license_expression: Its licence in SPDX's terms, if it tells so.
        license_names: Its licences in its own words, if not.
        url: Where its wheel comes from, unless it comes from elsewhere than an index.
        sha256: Hash of that wheel.
    """

    name: str
    version: str
    license_expression: str | None
    license_names: tuple[str, ...]
    url: str | None
    sha256: str | None

    @property
    def purl(self) -> str:
        """The package's URL (purl specification, type `pypi`)."""
        return f"pkg:pypi/{self.name}@{self.version}"


def components_of(tree: Path, wheels: Mapping[tuple[str, str], Sequence[Wheel]]) -> list[Component]:
    """Lists the packages that are in a tree.

    Args:
        tree: Root of the artefact.
        wheels: The wheels that uv takes, by name and version.

    Returns:
        The packages by name.
    """
    found = [_component(info, wheels) for info in tree.glob("*.dist-info")]
    return sorted(found, key=lambda component: component.name)


def write_components(components: Iterable[Component], path: Path) -> None:
    """Keeps components in a file."""
    path.write_text(json.dumps([asdict(component) for component in components]))


def read_components(path: Path) -> list[Component]:
    """Reads what `write_components` kept."""
    return [
        Component(**{**kept, "license_names": tuple(kept["license_names"])}) for kept in json.loads(path.read_text())
    ]


def bill_of_materials(
    name: str, sha256: str, components: Iterable[Component], properties: Mapping[str, str]
) -> dict[str, Any]:
    """Writes the bill of materials of an artefact.

    Args:
        name: Name of the artefact.
        sha256: Hash of its zip.
        components: What it holds.
        properties: What else is to be told of it.

    Returns:
        The document, by the CycloneDX 1.6 JSON schema.
    """
    listed = [*components]
    root = f"strandline:{name}@{sha256}"
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        # One artefact has one serial number, whoever builds it.
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, sha256)}",
        "version": 1,
        "metadata": {
            "lifecycles": [{"phase": "build"}],
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": name,
                "version": sha256,
                "hashes": [{"alg": "SHA-256", "content": sha256}],
            },
            "properties": [{"name": f"strandline:{key}", "value": value} for key, value in properties.items()],
        },
        "components": [_as_json(component) for component in listed],
        "dependencies": [
            {"ref": root, "dependsOn": [component.purl for component in listed]},
            *({"ref": component.purl} for component in listed),
        ],
    }


def _component(info: Path, wheels: Mapping[tuple[str, str], Sequence[Wheel]]) -> Component:
    told = HeaderParser().parsestr((info / "METADATA").read_text())
    name, version = normalised(told["Name"]), told["Version"]
    expression = told["License-Expression"]
    wheel = _installed((info / "WHEEL").read_text(), wheels.get((name, version), []))
    return Component(
        name,
        version,
        expression,
        () if expression else _license_names(told["License"], told.get_all("Classifier") or []),
        wheel.url if wheel else None,
        wheel.sha256 if wheel else None,
    )


def _installed(described: str, wheels: Sequence[Wheel]) -> Wheel | None:
    tags = {line.removeprefix("Tag:").strip() for line in described.splitlines() if line.startswith("Tag:")}
    return next((wheel for wheel in wheels if wheel.tags & tags), wheels[0] if len(wheels) == 1 else None)


def _license_names(told: str | None, classifiers: Iterable[str]) -> tuple[str, ...]:
    # Some put the whole text of the licence there.
    if told and "\n" not in told.strip() and len(told) <= _LONGEST_LICENSE_NAME:
        return (told.strip(),)
    kinds = (kind.rpartition(" :: ")[2] for kind in classifiers if kind.startswith(_CLASSIFIER))
    return tuple(sorted({kind for kind in kinds if kind != "OSI Approved"}))


def _as_json(component: Component) -> dict[str, Any]:
    document: dict[str, Any] = {
        "type": "library",
        "bom-ref": component.purl,
        "name": component.name,
        "version": component.version,
        "purl": component.purl,
    }
    if component.license_expression:
        document["licenses"] = [{"expression": component.license_expression}]
    elif component.license_names:
        document["licenses"] = [{"license": {"name": name}} for name in component.license_names]
    if component.url and component.sha256:
        document["hashes"] = [{"alg": "SHA-256", "content": component.sha256}]
        document["externalReferences"] = [{"type": "distribution", "url": component.url}]
    return document
