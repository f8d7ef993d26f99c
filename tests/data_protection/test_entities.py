"""The names in our tables are those of the Presidio that is installed, and of the locks."""

import inspect
import re
import tomllib
from pathlib import Path

import presidio_analyzer
import presidio_analyzer.predefined_recognizers as predefined
import pytest
import yaml
from presidio_analyzer import LocalRecognizer
from presidio_analyzer.predefined_recognizers import SpacyRecognizer

from agent_runtime.data_protection import ProtectionSettings, build_protection
from agent_runtime.data_protection.entities import MODEL_ENTITIES, RECOGNIZERS, default_entities

ROOT = Path(__file__).parents[2]
CONFIGURATION = Path(presidio_analyzer.__file__).parent / "conf" / "default_recognizers.yaml"
# They need a model or a service, or find with both what others find here.
NOT_PATTERNS = {"SpacyRecognizer", "StanzaRecognizer", "TransformersRecognizer", "DateRecognizer"}


def recognizers():
    for name in predefined.__all__:
        kind = getattr(predefined, name)
        if inspect.isclass(kind) and issubclass(kind, LocalRecognizer) and name not in NOT_PATTERNS:
            try:
                yield name, kind()
            except (ImportError, TypeError, ValueError):
                continue


def test_the_table_is_that_of_presidio():
    assert {recognizer.supported_entities[0]: name for name, recognizer in recognizers()} == dict(RECOGNIZERS)
    assert set(SpacyRecognizer.ENTITIES) == MODEL_ENTITIES


@pytest.mark.parametrize("language", ["en", "es", "it", "pl", "de"])
def test_the_default_is_what_presidio_turns_on_itself(language):
    names = {name: entity for entity, name in RECOGNIZERS.items()}
    turned_on = set()
    for entry in yaml.safe_load(CONFIGURATION.read_text())["recognizers"]:
        languages = [
            item["language"] if isinstance(item, dict) else item for item in entry.get("supported_languages", ())
        ]
        country = "country_code" in entry and languages
        if entry.get("enabled", True) and entry["name"] in names and (not country or language in languages):
            turned_on.add(names[entry["name"]])
    assert set(default_entities(language)) == turned_on - {"UUID"}


def test_every_entity_starts_in_one_filter():
    protection = build_protection(ProtectionSettings("presidio", entities=tuple(RECOGNIZERS)))
    assert protection.protect_input("Mein Kennzeichen, NIF 12345678Z, ana@example.com").count("<") >= 2


@pytest.mark.parametrize(
    ("language", "text", "masked"),
    [
        ("es", "mi NIF es 12345678Z, gracias", "mi NIF es <ES_NIF>, gracias"),
        ("pl", "mój PESEL to 44051401359.", "mój PESEL to <PL_PESEL>."),
        ("de", "schreib an ana@example.com", "schreib an <EMAIL_ADDRESS>"),
        ("de", "Telefon 03012345678", "Telefon <PHONE_NUMBER>"),
    ],
)
def test_other_languages_work_without_a_model(language, text, masked):
    assert build_protection(ProtectionSettings("presidio", language=language)).protect_output(text) == masked


def pins(path):
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ \\;]+)", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize("dependency_set", ["light", "litellm"])
def test_the_lock_fits_the_sets_that_it_is_added_to(dependency_set):
    presidio, others = (pins(ROOT / f"agent_runtime/requirements/{name}.lock") for name in ("presidio", dependency_set))
    assert {name: others[name] for name in presidio.keys() & others.keys()} == {
        name: presidio[name] for name in presidio.keys() & others.keys()
    }


def test_the_tests_run_with_the_versions_of_the_artefact():
    ours = {
        package["name"]: package.get("version") for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    }
    presidio = pins(ROOT / "agent_runtime/requirements/presidio.lock")
    assert {name: ours.get(name) for name in presidio} == presidio
