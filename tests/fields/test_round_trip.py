"""A blueprint that is written out and read again is the same, whatever it says."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_runtime.blueprint import Blueprint
from agent_runtime.bundle import build_bundle, read_bundle
from agent_runtime.errors import InputError
from agent_runtime.loader import load_document
from agent_runtime.references import References
from agent_runtime.validation import validate
from agent_runtime.yaml_reader import parse_yaml
from tests.fields.documents import WAYS, Addresses, base_document, values_of
from tests.fields.schema_fields import changed, dotted, leaves, merged, other_values, value_at

WORLD = Addresses()
FIELDS = {dotted(path): path for path in leaves(Blueprint)}


def read(document):
    """Reads a document as a blueprint's file; JSON is YAML."""
    return validate(Blueprint, parse_yaml(json.dumps(document).encode(), "f.yaml"))


def versions(path, way):
    """The documents in which one field is changed; some are refused, because the way to the model has no such thing."""
    base = base_document(path, way, WORLD)
    values = values_of(path, way, WORLD) or other_values(Blueprint, path, value_at(base, path))
    return [base, *(changed(base, path, value) for value in values)]


ALL = list({str(one): one for way in WAYS for path in FIELDS.values() for one in versions(path, way)}.values())


def comes_back(document):
    """Writes a blueprint out and reads it again; false when the document is none."""
    try:
        blueprint = read(document)
    except InputError:
        return False
    written = json.loads(blueprint.model_dump_json(exclude_none=True))
    assert read(written) == blueprint
    return True


def test_every_field_comes_back():
    assert sum(map(comes_back, ALL)) > 250


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.lists(st.sampled_from(ALL), min_size=2, max_size=6))
def test_blocks_of_several_blueprints_come_back_together(documents):
    comes_back(merged(*documents))


@pytest.mark.parametrize("way", WAYS)
def test_what_travels_in_the_bundle_is_what_was_written(way, tmp_path):
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "tide.md").write_text("You know the tides.\n")
    text = yaml.safe_dump(base_document(FIELDS["name"], way, WORLD))
    agent = load_document(parse_yaml(text.encode(), "f.yaml"), References(tmp_path))

    bundle = build_bundle(agent)
    there = read_bundle(bundle.content, bundle.sha256)

    assert (there.blueprint, there.prompt) == (agent.blueprint, agent.prompt)
