"""The lock of the container images: no floating tag, no release that must not run, no digest that nobody looked up."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from agent_runtime.errors import InputError
from gateway.image import IMAGE_LOCK, ImageLock, LockedImage, read_image_lock, write_image_lock

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "sha256:" + "ab" * 32
MANAGED = LockedImage(repository="ghcr.io/berriai/litellm-non_root", tag="v1.102.4", digest=DIGEST)
OWN = LockedImage(repository="111111111111.dkr.ecr.us-east-1.amazonaws.com/strandline/gateway", tag="1.102.4-a1b2c3d")


def refusal(tmp_path: Path, managed: str) -> str:
    path = tmp_path / "image.lock"
    path.write_text(f"managed: {managed}\n")
    with pytest.raises(InputError) as caught:
        read_image_lock(path)
    return str(caught.value)


def test_the_projects_own_lock_is_as_it_would_be_written(tmp_path: Path) -> None:
    path = tmp_path / "image.lock"
    write_image_lock(read_image_lock(), path)

    assert path.read_text() == IMAGE_LOCK.read_text()


def test_a_lock_is_read_as_it_was_written(tmp_path: Path) -> None:
    lock = ImageLock(managed=MANAGED, stateless=OWN)
    path = tmp_path / "image.lock"
    write_image_lock(lock, path)

    assert read_image_lock(path) == lock


def test_an_image_is_named_by_its_digest_where_there_is_one() -> None:
    assert MANAGED.name == f"ghcr.io/berriai/litellm-non_root@{DIGEST}"
    assert OWN.name.endswith(":1.102.4-a1b2c3d")


def test_a_gateway_without_a_database_runs_our_own_image_once_there_is_one() -> None:
    assert ImageLock(managed=MANAGED, stateless=OWN).of(managed=False) == OWN
    assert ImageLock(managed=MANAGED, stateless=OWN).of(managed=True) == MANAGED
    assert ImageLock(managed=MANAGED).of(managed=False) == MANAGED


@pytest.mark.parametrize("tag", ["latest", "main-latest", "main-stable", "lts", "v1.102", "nightly"])
def test_a_tag_that_can_move_is_refused(tmp_path: Path, tag: str) -> None:
    message = refusal(tmp_path, f"{{repository: ghcr.io/berriai/litellm, tag: {tag}}}")

    assert f"managed.tag: the tag {tag} can be moved to another image" in message


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        ("v1.82.7", "was malware"),
        ("v1.82.8-stable", "was malware"),
        ("v1.83.9", "before 1.84.0"),
        ("1.80.11-stable.1", "CVE-2026-49468"),
    ],
)
def test_a_release_that_must_not_run_is_refused(tmp_path: Path, tag: str, reason: str) -> None:
    assert reason in refusal(tmp_path, f"{{repository: ghcr.io/berriai/litellm, tag: {tag}}}")


@pytest.mark.parametrize("digest", ["sha256:abc", "v1.102.4", "sha1:" + "a" * 40])
def test_what_is_no_digest_is_refused(tmp_path: Path, digest: str) -> None:
    assert "must match" in refusal(
        tmp_path, f"{{repository: ghcr.io/berriai/litellm, tag: v1.102.4, digest: '{digest}'}}"
    )


def test_our_own_image_installs_by_hash_and_runs_as_nobody() -> None:
    lines = IMAGE_LOCK.with_name("Dockerfile").read_text().splitlines()
    text = "\n".join(lines)

    assert all(re.search(r"@sha256:[0-9a-f]{64}|\$\{?\w+", line) for line in lines if line.startswith("FROM "))
    assert "--require-hashes" in text
    assert "requirements.lock" in text
    assert "USER 65534:65534" in lines
    assert 'VOLUME ["/tmp"]' in lines
    assert "prisma" not in text.lower().replace("without prisma", "")
