"""Writes down what of each resource cannot be changed in place: `python -m benchmarks.create_only`.

From the schemas of CloudFormation's registry (`createOnlyProperties`), as cfn-lint has them, for the types that our
stacks hold.
"""

from __future__ import annotations

import json

from strandline.pricing import KNOWN_TYPES
from strandline.releases.changes import CREATE_ONLY

_REGION = "us-east-1"


def create_only() -> dict[str, list[str]]:
    """Top-level properties by type, without types that have none."""
    found = {kind: _of_type(kind) for kind in sorted(KNOWN_TYPES)}
    return {kind: names for kind, names in found.items() if names}


def _of_type(kind: str) -> list[str]:
    # Imported by who asks: it takes three seconds, and each process of the tests reads this module.
    from cfnlint.schema import ResourceNotFoundError
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    try:
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(_REGION, kind).schema
    except ResourceNotFoundError:
        return []
    paths = [path.removeprefix("/properties/").split("/") for path in schema.get("createOnlyProperties", ())]
    return sorted({path[0] for path in paths if len(path) == 1})


if __name__ == "__main__":
    CREATE_ONLY.write_text(json.dumps(create_only(), indent=1) + "\n")
