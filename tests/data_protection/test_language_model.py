"""Entities that need a language model, with a package that is installed as spaCy's models are.

spaCy's own models are not on the package index. This one knows its names from a list, and is loaded, found by its
metadata and run through Presidio in the same way.
"""

import sys

import pytest
import spacy

from agent_runtime.data_protection import ProtectionSettings, build_protection

NAME = "en_core_web_sm"


@pytest.fixture
def model(tmp_path, monkeypatch):
    pipeline = spacy.blank("en")
    ruler = pipeline.add_pipe("entity_ruler")
    ruler.add_patterns(
        [
            {"label": "PERSON", "pattern": "Ana Lima"},
            {"label": "ORG", "pattern": "Acme Ltd"},
            {"label": "GPE", "pattern": "Lisbon"},
            {"label": "MONEY", "pattern": "ten euros"},
        ]
    )
    package = tmp_path / NAME
    data = package / f"{NAME}-3.8.0"
    package.mkdir()
    pipeline.meta.update(name="core_web_sm", version="3.8.0")
    pipeline.to_disk(data)
    (package / "meta.json").write_text((data / "meta.json").read_text())
    (package / "__init__.py").write_text(
        "from spacy.util import load_model_from_init_py\n"
        "def load(**overrides):\n    return load_model_from_init_py(__file__, **overrides)\n"
    )
    metadata = tmp_path / f"{NAME}-3.8.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 3.8.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop(NAME, None)


def test_an_installed_model_is_used(model):
    entities = ("PERSON", "LOCATION", "ORGANIZATION", "EMAIL_ADDRESS")
    protection = build_protection(ProtectionSettings("presidio", entities=entities))
    text = "Yesterday Ana Lima (ana@example.com) of Acme Ltd paid ten euros in Lisbon."
    expected = "Yesterday <PERSON> (<EMAIL_ADDRESS>) of <ORGANIZATION> paid ten euros in <LOCATION>."
    assert protection.protect_input(text) == expected
    stream = protection.output_stream()
    assert "".join([*map(stream.feed, text), stream.close()]) == expected


def test_a_name_is_not_cut_in_two_where_a_segment_ends(model):
    protection = build_protection(ProtectionSettings("presidio", entities=("PERSON",)))
    for shift in range(0, 80, 3):
        text = f"{'word ' * 20}{'x' * shift} and Ana Lima came by. Then she left again. {'word ' * 20}"
        assert protection.protect_output(text) == text.replace("Ana Lima", "<PERSON>")
