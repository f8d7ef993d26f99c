"""Every misspelling of a key by one letter is told with the key that was meant."""

from __future__ import annotations

import string

import pytest

from agent_runtime.blueprint import Blueprint
from agent_runtime.errors import InputError
from agent_runtime.later import LATER_FIELDS
from agent_runtime.schema_walk import known_keys, model_at
from agent_runtime.suggestions import nearest
from agent_runtime.validation import validate
from agent_runtime.yaml_reader import parse_yaml

LETTERS = string.ascii_lowercase + string.digits + "_"


def blocks(path=()):
    """Every block of a blueprint by its path, the first item of a list standing for all."""
    yield path, known_keys(Blueprint, path)
    for key in known_keys(Blueprint, path):
        inner = next((at for at in ((*path, key), (*path, key, 0)) if model_at(Blueprint, at)), None)
        if inner:
            yield from blocks(inner)


BLOCKS = dict(blocks())


def misspellings(key):
    """All texts that one letter inserted, removed, changed or swapped with the next makes of a key."""
    splits = [(key[:at], key[at:]) for at in range(len(key) + 1)]
    found = {left + right[1:] for left, right in splits if right}
    found |= {left + right[1] + right[0] + right[2:] for left, right in splits if len(right) > 1}
    found |= {left + letter + right[1:] for left, right in splits if right for letter in LETTERS}
    found |= {left + letter + right for left, right in splits for letter in LETTERS}
    return found - {key, ""}


@pytest.mark.parametrize("path", BLOCKS, ids=lambda path: ".".join(map(str, path)) or "top level")
def test_each_misspelling_by_one_letter_is_told_with_the_key_that_was_meant(path):
    keys = BLOCKS[path]
    meant = {}
    for key in keys:
        for word in misspellings(key):
            meant.setdefault(word, set()).add(key)

    # A word between two keys may mean either.
    wrong = {word: guess for word in meant if word not in keys and (guess := nearest(word, keys)) not in meant[word]}

    assert len(meant) > 100
    assert wrong == {}


HEAD = "id: a\nname: A\nversion: 1.0.0\nprompt_ref: hello\nmodel: {model_id: m, temperature: 1, max_tokens: 9}\n"


@pytest.mark.parametrize("key", [key for key in BLOCKS[()] if key not in ("id", "name")])
def test_the_suggestion_is_in_the_message(key):
    word = key[:-2] + key[-1]

    with pytest.raises(InputError) as caught:
        validate(Blueprint, parse_yaml(f"{HEAD}{word}: 1\n".encode(), "f.yaml"), later=LATER_FIELDS)

    (problem,) = [one for one in caught.value.problems if one.path == word]
    assert problem.hint.startswith(f"did you mean {key}?")
