"""The YAML reader: strict, bounded, exact about places, and never the cause of a traceback."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_runtime import yaml_reader
from agent_runtime.errors import InputError, Problem
from agent_runtime.yaml_nodes import Document, Place, show_path
from agent_runtime.yaml_reader import parse_yaml, read_yaml
from tests.support.effort import bounded_effort


def refusal(content: str | bytes) -> Problem:
    """Return the one problem of a file that cannot be read."""
    with pytest.raises(InputError) as caught:
        parse(content)
    (problem,) = caught.value.problems
    assert isinstance(problem, Problem)
    assert "Traceback" not in str(problem)
    assert "\n" not in str(problem)
    return problem


def parse(content: str | bytes) -> Document:
    return parse_yaml(content.encode() if isinstance(content, str) else content, "f.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("Off", "Off"),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("1_000", "1_000"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("0", 0),
        ("-7", -7),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.10", 1.1),
        ("1e3", 1000.0),
        (".5", 0.5),
        (".inf", float("inf")),
        ("-.INF", float("-inf")),
        ("'1.10'", "1.10"),
        ('"true"', "true"),
        ("''", ""),
        ("'~'", "~"),
        ("0b11", "0b11"),
        ("+", "+"),
        (".", "."),
        ("9" * 100, "9" * 100),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(text, value):
    result = parse(f"a: {text}\n").data()["a"]
    assert result == value
    assert type(result) is type(value)


def test_the_exact_text_of_a_number_is_kept():
    assert parse("a: 1.10").find(("a",)).text == "1.10"  # type: ignore[union-attr]


def test_keys_are_texts_exactly_as_written():
    assert list(parse("1.10: a\ntrue: b\n'~': c\non: d\n").data()) == ["1.10", "true", "~", "on"]


def test_a_number_may_not_start_with_a_zero():
    document = parse("a: 0777\nb: '0777'\nc: 0\nd: 0.5\n")
    assert [str(fault) for fault in document.faults] == [
        'f.yaml:1:4: a number may not start with a zero (write "0777" in quotes for a text, 777 for a number)'
    ]


def test_places_of_keys_and_values():
    document = parse("a: 1\nb:\n  c: {d: x,\n    e: [y, z]}\n")
    assert document.key_place(("b", "c", "e")) == Place(4, 5)
    assert document.value_place(("b", "c", "e", 1)) == Place(4, 12)
    assert document.value_place(("b", "c", "missing", "deeper")) == Place(3, 6)
    assert document.key_place(("b", "c", "e", 0)) == Place(4, 9)
    assert show_path(("b", "c", "e", 1)) == "b.c.e[1]"


def test_columns_count_characters_and_crlf_is_one_line_end():
    document = parse("ä: 'öü'\r\nb: {ß: 1, c: 2}\r\n")
    assert document.key_place(("b", "c")) == Place(2, 11)


def test_anchors_and_aliases_work():
    document = parse("a: &x {b: [1, 2]}\nc: *x\nd: &x 5\ne: *x\n&k f: *x\n")
    assert document.data() == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}, "d": 5, "e": 5, "f": 5}


@pytest.mark.parametrize(
    ("content", "line", "part"),
    [
        ("", 1, "empty"),
        ("# nothing\n", 1, "empty"),
        ("---\n", 1, "empty"),
        ("- a\n", 1, "a list"),
        ("word\n", 1, "a single value"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("%YAML 1.1\n---\na: 1\n", 1, "directive"),
        ("a:\n\tb: 1\n", 2, "tab"),
        ("a: 1\nb: [1, 2\n", 3, "broken YAML"),
        ("a: 'x\n", 2, "broken YAML"),
        ("a: b: c\n", 1, "broken YAML"),
        ("a: @x\n", 1, "broken YAML"),
        ('a: "\\q"\n', 1, "broken YAML"),
        ("a: 1\n: x\n", 2, "broken YAML"),
        ("a: *x\n", 1, "no anchor"),
        ("a: &x [*x]\n", 1, "inside its own anchor"),
        ("a: &x {b: {c: *x}}\n", 1, "inside its own anchor"),
        ("a: &x 1\n*x : 2\n", 2, "where a key belongs"),
        ("? [a]\n: b\n", 1, "where a key belongs"),
        ("? {a: b}\n: b\n", 1, "where a key belongs"),
        (b"a: 1\nb: \xff\n", 2, "not UTF-8"),
        (b"a: 1\nb: \x00\n", 2, "NUL"),
        (b"\xef\xbb\xbfa: 1\n", 1, "byte order mark"),
        ("a: 1\n".encode("utf-16"), 1, "UTF-16"),
        ("a: 1\n".encode("utf-16-le"), 1, "NUL"),
        ("a: 1\nb: \x07\n", 2, "U+0007"),
        ("a: 1\nb: \u2028\n", 2, "U+2028"),
        ("a: 1\nb: \x85\n", 2, "U+0085"),
    ],
)
def test_what_is_not_our_yaml_is_refused_with_its_line(content, line, part):
    problem = refusal(content)
    assert part in problem.message
    assert problem.line == line
    assert problem.hint


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("a: 1\nb: 2\na: 3\n", "stands twice, on line 1 and line 3"),
        ("a:\n  b: {c: 1,\n   c: 2}\n", "stands twice, on line 2 and line 3"),
        ("a: !!python/object:os.system x\n", "tags"),
        ("a: !custom {b: 1}\n", "tags"),
        ("a: !!str 1\n", "tags"),
        ("a: ! 1\n", "tags"),
        ("!x a: 1\n", "tags"),
        ("x: &x {a: 1}\nb:\n  <<: *x\n", "merge keys"),
    ],
)
def test_what_is_wrong_in_one_place_is_kept_for_the_schemas_run(content, part):
    assert any(part in fault.message for fault in parse(content).faults)


def test_a_key_that_looks_like_a_secret_is_not_shown():
    (fault,) = parse("sk-canary-0123456789: 1\nsk-canary-0123456789: 2\n").faults
    assert "canary" not in str(fault)


def test_size_is_limited_before_parsing(monkeypatch):
    monkeypatch.setattr(yaml_reader, "_build", lambda *_: pytest.fail("it is parsed"))
    assert "64 KiB" in refusal("a: x #" + "y" * yaml_reader.MAX_FILE_BYTES).message


def test_depth_is_limited_with_aliases_followed():
    assert parse("a: " + "[" * 19 + "]" * 19)
    assert "deeper than 20" in refusal("a: " + "[" * 20 + "]" * 20).message
    assert "deeper than 20" in refusal("a: &x " + "[" * 15 + "]" * 15 + "\nb: " + "[" * 6 + "*x" + "]" * 6).message


def test_anchors_expand_to_ten_thousand_values_and_no_more():
    hundred = "a: &a [" + ",".join("1" * 99) + "]\n"
    # 1 root, 2 keys, 100 values behind the anchor, 1 list: 104, and 100 for each alias.
    assert len(parse(hundred + "b: [" + ",".join(["*a"] * 98) + "]\n").data()["b"]) == 98
    assert "10,000" in refusal(hundred + "b: [" + ",".join(["*a"] * 99) + "]\n").message


def test_an_alias_bomb_costs_neither_time_nor_memory():
    bomb = "a0: &a0 [1,1,1,1,1,1,1,1,1]\n"
    bomb += "".join(f"a{level}: &a{level} [{','.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 10))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with bounded_effort(seconds=0.5):
        assert "aliases expanded" in refusal(bomb).message
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 1024


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
@pytest.mark.parametrize("count", [21, 5_000, 200_000])
def test_deep_nesting_never_ends_the_process(opening, count):
    # In a process of its own: the C composer of PyYAML ends it with a segmentation fault.
    code = (
        "import sys\n"
        "from agent_runtime import yaml_reader\n"
        "from agent_runtime.errors import InputError\n"
        "yaml_reader.MAX_FILE_BYTES = 10**7\n"
        f"try: yaml_reader.parse_yaml(({opening!r} * {count}).encode(), 'f.yaml')\n"
        "except InputError: sys.exit(7)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (7, "")


def test_the_loader_in_python_reads_the_same(monkeypatch):
    text = "a: no\nb: 1.10\nc: 'x'\nd: &x [1, {e: f}]\ng: *x\nh: |\n  two\n  lines\n"
    fast = parse(text)
    monkeypatch.setattr(yaml_reader, "_LOADER", yaml_reader.yaml.SafeLoader)
    slow = parse(text)
    assert slow.data() == fast.data()
    assert slow.value_place(("d", 1, "e")) == fast.value_place(("d", 1, "e"))
    assert "tab" in refusal("a:\n\tb: 1\n").message


def file_refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_yaml(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:1:1: ")
    return message


def test_only_regular_files_that_are_no_links_are_read(tmp_path):
    outside = tmp_path / "outside.yaml"
    outside.write_text("canary: 1\n")
    link = tmp_path / "link.yaml"
    link.symlink_to(outside)
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    assert "symbolic link" in file_refusal(link)
    assert "symbolic link" in file_refusal(loop)
    assert "not a regular file" in file_refusal(pipe)
    assert "not a regular file" in file_refusal(tmp_path / ".." / tmp_path.name)
    assert "no such file" in file_refusal(tmp_path / "missing.yaml")
    assert "no such file" in file_refusal(tmp_path / "missing" / "a.yaml")
    assert "file or a symbolic link" in file_refusal(outside / "a.yaml")


YAML_PIECES = st.sampled_from(
    [
        *"abc:-[]{}#&*!|>'\"%@`?,.~<0159 \t\n\\\u0000\u00e4\u2028\ufeff",
        ": ",
        "- ",
        "\n  ",
        "&a ",
        "*a",
        "<<: ",
        "!!str ",
    ]
)


@settings(max_examples=1500, derandomize=True, deadline=None)
@given(st.lists(YAML_PIECES, max_size=40).map("".join))
def test_any_text_is_a_document_or_an_input_error(text):
    try:
        document = parse(text)
    except InputError as error:
        assert all(isinstance(problem, Problem) and problem.line >= 1 for problem in error.problems)
    else:
        assert isinstance(document.data(), dict)


@settings(max_examples=500, derandomize=True, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_document_or_an_input_error(content):
    try:
        parse(content)
    except InputError as error:
        assert error.problems
