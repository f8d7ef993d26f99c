"""`releases/<environment>.yaml`: what is written is read again, and nothing else is."""

from __future__ import annotations

import pytest

from agent_runtime.errors import InputError
from stacks.releases.lock import PinnedBundle, parse_lock, render_lock
from stacks.releases.store import ReleaseFolder
from strandline.releases.lock import save_bundle, save_lock
from tests.releases.releases import entry, lock


@pytest.fixture
def folder(tmp_path):
    return ReleaseFolder(tmp_path / "releases")


def test_what_was_saved_is_loaded(folder):
    onward = {"production": PinnedBundle(bundle="d" * 64, variables={"MODEL": "on: 'e\\'\n"})}
    written = lock(hello=entry("1" * 64), **{"on": entry(variables={"A": ""}, onward=onward, checks=None)})
    save_lock(folder, written)
    assert folder.lock("staging") == written
    assert folder.lock("production") is None


def test_a_thousand_agents_fit(folder):
    written = lock(**{f"agent-{number}": entry() for number in range(1000)})
    save_lock(folder, written)
    assert folder.lock("staging") == written


def test_every_byte_counts(folder):
    """Whatever byte is changed, the file is refused by its name, and at a line."""
    text = render_lock(lock()).encode()
    for place in range(len(text)):
        other = b"0" if text[place : place + 1] != b"0" else b"1"
        with pytest.raises(InputError) as caught:
            parse_lock(text[:place] + other + text[place + 1 :], "releases/staging.yaml")
        assert str(caught.value).startswith("releases/staging.yaml:")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("a" * 64, "a" * 63 + "b", "agents.hello.digest: is not what was promoted of hello: its digest differs"),
        ("ada@example.com", "eve@example.com", "is not what was promoted of hello: its digest differs"),
        ("cases: 3", "cases: 4", "is not what was promoted of hello: its digest differs"),
        ("passed: true", "passed: false", "is not what was promoted of hello: its digest differs"),
        ("2" * 64, "2" * 63 + "3", "gateway.digest: is not what was promoted of the gateway"),
        ("# What", "# Who", "this line is not as `strandline promote` wrote it"),
        ("\n", "\r\n", "is not as `strandline promote` wrote it"),
        ("  hello:", "  other:", "is not what was promoted of other"),
        ('environment: "staging"', 'environment: "production"', "is not what was promoted of hello"),
    ],
)
def test_what_differs_is_named(before, after, said):
    text = render_lock(lock())
    assert before in text
    with pytest.raises(InputError, match="restore it from version control, or promote again") as caught:
        parse_lock(text.replace(before, after).encode(), "releases/staging.yaml")
    assert said in str(caught.value)


def test_a_lock_under_another_name_is_refused(folder):
    save_lock(folder, lock("staging")).rename(folder.lock_file("production"))
    with pytest.raises(InputError, match="is the lock of staging"):
        folder.lock("production")


def test_a_bundle_is_read_only_as_it_was_saved(folder):
    sha256 = save_bundle(folder, b"bundle", "json")
    assert folder.read(sha256, "json", "agents.hello.bundle") == b"bundle"
    folder.file(sha256, "json").write_bytes(b"bundlf")
    with pytest.raises(InputError, match=r"is not what agents\.hello\.bundle names: the hash of its bytes is"):
        folder.read(sha256, "json", "agents.hello.bundle")
    folder.file(sha256, "json").unlink()
    with pytest.raises(InputError, match=r"agents\.hello\.bundle names it, and it cannot be read"):
        folder.read(sha256, "json", "agents.hello.bundle")
