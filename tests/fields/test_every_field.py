"""No field of a blueprint is dropped without a word: a change of one is seen outside, or told to do nothing."""

from __future__ import annotations

from functools import partial
from typing import Literal

import pytest
from pydantic import Field

from agent_runtime.blueprint import Blueprint
from agent_runtime.blueprint_blocks import Observability
from tests.fields.documents import WAYS, base_document, values_of
from tests.fields.effects import ANSWER, FAILING, REFUSED, SIDES, SLOW
from tests.fields.schema_fields import changed, choices, dotted, is_taken, leaves, other_values, value_at

pytestmark = pytest.mark.filterwarnings("ignore")

FIELDS = {dotted(path): path for path in leaves(Blueprint)}
# Of these each provider makes something of its own.
OF_THE_PROVIDER = ("model.", "thinking.", "prompt_ref", "output_schema", "tools[].python")
# These take seconds each, and tests/providers/test_matrix.py has them for each provider.
PATIENT = {"model.timeout_seconds": SLOW, "model.num_retries": FAILING}
GUARDRAIL = "observability.data_protection.guardrail"
# What says no more than what is so without it.
SAME = {
    ("model.provider", "openai", "litellm"),  # both speak as OpenAI does to an address
    ("model.client", "light", "auto"),
    ("model.client", "gateway", "openai"),
    ("model.client", "named", "litellm"),  # what resolves names
    ("runtime.network_mode", "light", "PUBLIC"),
    ("runtime.network_mode", "gateway", "PRIVATE"),
    ("runtime.port", "light", "8080"),
    ("thinking.enabled", "openai", "False"),
}
# Where one thing can be said, and saying another is refused.
ONLY_REFUSES = {"runtime.port"}


def ways_of(field):
    """The ways to a model that may make a difference to a field."""
    if field.startswith(OF_THE_PROVIDER) and field not in PATIENT:
        return WAYS
    if field.startswith(GUARDRAIL):
        return ("bedrock", "light")
    if field.startswith("budget."):
        return ("gateway",)
    return ("light", "gateway") if field == "runtime.network_mode" else ("light",)


def changes_of(model, path, way, addresses):
    """Values that a field is changed to."""
    now = value_at(model.model_validate(base_document(path, way, addresses)).model_dump(mode="json"), path)
    return values_of(path, way, addresses) or other_values(model, path, now)


def changed_document(model, path, way, index, addresses):
    """The blueprint with a field changed to the value of this index."""
    return changed(base_document(path, way, addresses), path, changes_of(model, path, way, addresses)[index])


@pytest.mark.parametrize("way", WAYS)
def test_nothing_differs_by_itself(observer, way):
    document = partial(base_document, FIELDS["name"], way)

    # Where this fails, something new differs from run to run: running.py takes such things out.
    for side in SIDES if way == "light" else SIDES[:-1]:
        assert observer.look(document, side) == observer.seen(document, side)
    (seen,) = observer.seen(document, ANSWER)
    assert seen["answer"][0] == 200
    assert seen["model"]
    assert not any(observer.seen(document, REFUSED).values())


@pytest.mark.parametrize("field", FIELDS)
def test_no_field_is_dropped(observer, field):
    effects = {}
    for way in ways_of(field):
        effects |= effects_of(observer, Blueprint, FIELDS[field], way)

    assert [change for change, effect in effects.items() if effect is None] == []
    if len(choices(Blueprint, FIELDS[field])) != 1 and field not in ONLY_REFUSES:
        # A refusal alone would also come of a field that nobody reads.
        assert set(effects.values()) != {REFUSED}


def effects_of(observer, model, path, way):
    """Changes a field to each of its values, and gives by which side each was seen."""
    field, effects = dotted(path), {}
    document = partial(base_document, path, way)
    sides = (REFUSED, PATIENT[field]) if field in PATIENT else SIDES
    if observer.is_told(document, path):
        return {(way, "any"): "notice"}
    for index, value in enumerate(changes_of(model, path, way, observer.addresses)):
        if (field, way, str(value)) in SAME:
            continue
        assert len(choices(model, path)) == 1 or is_taken(model, path, value), f"{field} does not take {value}"
        effects[way, str(value)] = observer.difference(
            document, partial(changed_document, model, path, way, index), sides
        )
    assert effects, f"no value is known to change {field} to: give its Field an example, or add one to documents.py"
    return effects


class WithColour(Observability):
    """The block, with a field that nobody reads."""

    colour: Literal["red", "blue"] = "red"


class Seeded(Blueprint):
    """A blueprint with fields that nobody reads."""

    observability: WithColour = WithColour()
    weight: int = Field(default=1, examples=[2])
    shade: str = ""


@pytest.fixture
def seeded(monkeypatch):
    """Makes everything of ours read blueprints of that schema."""
    for module in ("loader", "resolution", "bundle"):
        monkeypatch.setattr(f"agent_runtime.{module}.Blueprint", Seeded)
    return {dotted(path): path for path in leaves(Seeded)}


@pytest.mark.parametrize(("field", "change"), [("weight", ("light", "2")), ("observability.colour", ("light", "blue"))])
def test_field_that_nobody_reads_is_found(observer, seeded, field, change):
    assert effects_of(observer, Seeded, seeded[field], "light") == {change: None}


def test_field_without_a_known_value_is_found(observer, seeded):
    with pytest.raises(AssertionError, match="no value is known to change shade to"):
        effects_of(observer, Seeded, seeded["shade"], "light")
