"""The JSON Schema of `gateway.yaml`, for editors: made from the models, so that it cannot say anything else."""

from __future__ import annotations

import json
from typing import Any

from gateway.settings import GatewaySettings
from strandline.blueprint_schema import DIALECT, tidy

TITLE = "Strandline gateway"


def gateway_schema() -> dict[str, Any]:
    """Make the JSON Schema of `gateway.yaml`."""
    schema = GatewaySettings.model_json_schema()
    for part in (schema, *schema["$defs"].values()):
        tidy(part)
    return {"$schema": DIALECT, **schema, "title": TITLE}


def gateway_schema_text() -> str:
    """Write the schema as its file holds it."""
    return json.dumps(gateway_schema(), indent=2, ensure_ascii=False) + "\n"
