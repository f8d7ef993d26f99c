"""`${VAR}`: the shell's meaning, one pass, and an error that names what is missing."""

import os
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_runtime.expansion import ExpansionFault, check_form, expand, expand_declared, names_in

VARIABLES = {"A": "one", "EMPTY": "", "REF": "${A}", "BRACE": "x}y"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain $A } {", "plain $A } {"),
        ("${A}", "one"),
        ("x-${A}-${A}", "x-one-one"),
        ("${EMPTY}", ""),
        ("${EMPTY:-two}", "two"),
        ("${UNSET:-two}", "two"),
        ("${A:-two}", "one"),
        ("${UNSET:-}", ""),
        ("${UNSET:-${A}}", "one"),
        ("${UNSET:-${EMPTY:-${ALSO_UNSET:-three}}}", "three"),
        ("${UNSET:-a${A}b}c", "aonebc"),
        ("${UNSET:-https://x:1/y}", "https://x:1/y"),
        ("${BRACE}", "x}y"),
        ("${UNSET:-a:-b}", "a:-b"),
    ],
)
def test_values_and_defaults(text, expected):
    assert expand(text, VARIABLES) == expected
    assert expanded_by_a_shell(text) == expected


def expanded_by_a_shell(text: str) -> str:
    shell = shutil.which("sh")
    assert shell
    done = subprocess.run(
        [shell, "-c", f'printf %s "{text.replace("$A ", chr(92) + "$A ")}"'],
        env={**VARIABLES, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_a_variable_that_is_not_set_is_named():
    with pytest.raises(ExpansionFault, match="the variable UNSET is not set and has no default") as caught:
        expand("a-${UNSET}", VARIABLES)
    assert "runtime.environment" in caught.value.hint


def test_a_default_that_is_not_needed_may_name_what_is_not_set():
    assert expand("${A:-${UNSET}}", VARIABLES) == "one"


def test_what_a_variable_holds_is_not_expanded_again_and_not_sent_on_either():
    with pytest.raises(ExpansionFault, match="not expanded again"):
        expand("${REF}", VARIABLES)


@pytest.mark.parametrize(
    "text",
    [
        "${",
        "${}",
        "${A",
        "${A:-",
        "${A:-x",
        "${a}",
        "${1A}",
        "${A-x}",
        "${A:=x}",
        "${A:?x}",
        "${A:+x}",
        "${#A}",
        "${ A}",
    ],
)
def test_other_forms_of_the_shell_are_refused(text):
    with pytest.raises(ExpansionFault) as caught:
        check_form(text)
    assert caught.value.hint


def test_nesting_is_bounded():
    check_form("${A:-" * 10 + "x" + "}" * 10)
    with pytest.raises(ExpansionFault, match="nests deeper"):
        check_form("${A:-" * 2000 + "x" + "}" * 2000)


def test_names_are_found_in_defaults_too():
    assert names_in("${A:-${B}}-${C}") == {"A", "B", "C"}
    assert names_in("${A") == frozenset()


def test_a_prompt_keeps_what_it_does_not_declare():
    text = "echo ${HOME} $${A} ${A:-${B}} ${AB} ${UNSET:-${A}} ${"
    assert expand_declared(text, ["A"], VARIABLES) == "echo ${HOME} $one one ${AB} ${UNSET:-one} ${"
    with pytest.raises(ExpansionFault, match="MISSING"):
        expand_declared("${MISSING}", ["MISSING"], VARIABLES)


PIECES = st.sampled_from(["${A}", "${EMPTY:-", "${UNSET:-", "${A:-", "${", "}", ":-", "x", "$", "A", "{", " "])


@settings(max_examples=600, derandomize=True, deadline=None)
@given(st.lists(PIECES, max_size=25).map("".join))
def test_any_text_is_expanded_without_a_reference_left_or_refused(text):
    try:
        expanded = expand(text, VARIABLES)
    except ExpansionFault as fault:
        assert fault.message
    else:
        assert "${" not in expanded
        check_form(text)
