"""Which image a tag means today, asked of a container registry without signing in.

Speaks what it needs of the OCI Distribution Specification 1.1 ("Pulling manifests") and of the token flow that
registries share ("Token Authentication Specification", Distribution).
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from agent_runtime.errors import EnvironmentFault, InputError

if TYPE_CHECKING:
    import httpx

_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
_ACCEPT = ", ".join(_INDEXES + _MANIFESTS)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# A registry's host has a dot or a port, or is localhost ("Docker reference", Distribution).
_REFERENCE = re.compile(
    r"(?P<host>localhost(?::\d+)?|[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?|[a-z0-9-]+:\d+)"
    r"/(?P<repository>[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*)"
    r":(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})"
)
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_LOOPBACK = re.compile(r"(?:localhost|127\.0\.0\.1)(?::\d+)?")
_SECONDS = 30.0
_LARGEST_MANIFEST = 4 * 1024 * 1024  # what registries take at most, by the specification
_UNAUTHORIZED, _NOT_FOUND = 401, 404


@dataclass(frozen=True, slots=True)
class Reference:
    """An image by its tag.

    Attributes:
        host: The registry.
        repository: The repository in it.
        tag: The tag.
    """

    host: str
    repository: str
    tag: str

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Reads `host/repository:tag`.

        Args:
            text: The image.

        Returns:
            Its parts.

        Raises:
            InputError: It is none, or names no registry or no tag.
        """
        found = _REFERENCE.fullmatch(text)
        if not found:
            raise InputError(
                f"{text!r} names no image: write registry, repository and tag, as ghcr.io/owner/name:v1.2.3."
            )
        return cls(**found.groupdict())

    @property
    def url(self) -> str:
        """Address of the registry's API; plain HTTP is for this machine only."""
        return f"{'http' if _LOOPBACK.fullmatch(self.host) else 'https'}://{self.host}/v2"

    def __str__(self) -> str:
        return f"{self.host}/{self.repository}:{self.tag}"


def resolve_digest(reference: Reference, *, os: str, architecture: str) -> str:
    """Finds the digest of the image that a tag means, and sees that it is built for a platform.

    Args:
        reference: The image.
        os: Operating system that it has to be for, such as `linux`.
        architecture: Processor that it has to be for, such as `arm64`.

    Returns:
        The digest of the image's index of platforms.

    Raises:
        InputError: There is no such image, or none for the platform.
        EnvironmentFault: The registry cannot be reached, refuses, or what it sends is not what its digest says.
    """
    import httpx

    try:
        with httpx.Client(timeout=_SECONDS) as client:
            digest, index = _fetch(client, reference, reference.tag)
            # An index may name a manifest that is not there, and a pin on that would stop the next task from starting.
            _fetch(client, reference, _for_platform(index, os, architecture, reference))
    except httpx.HTTPError as error:
        raise EnvironmentFault(f"The registry {reference.host} cannot be reached ({type(error).__name__}).") from None
    return digest


def _fetch(client: httpx.Client, reference: Reference, name: str) -> tuple[str, dict[str, Any]]:
    url = f"{reference.url}/{reference.repository}/manifests/{name}"
    answer = client.get(url, headers={"Accept": _ACCEPT})
    if answer.status_code == _UNAUTHORIZED and "Authorization" not in client.headers:
        client.headers["Authorization"] = f"Bearer {_token(client, answer, reference)}"
        answer = client.get(url, headers={"Accept": _ACCEPT})
    if answer.status_code == _NOT_FOUND:
        raise InputError(f"{reference.host} has no {reference.repository} at {name}: is the tag right?")
    if not answer.is_success:
        raise EnvironmentFault(f"The registry {reference.host} refuses {reference} (status {answer.status_code}).")
    return _checked(answer, name, reference)


def _token(client: httpx.Client, refusal: httpx.Response, reference: Reference) -> str:
    scheme, _, told = refusal.headers.get("www-authenticate", "").partition(" ")
    challenge = dict(_CHALLENGE.findall(told))
    realm = challenge.pop("realm", "")
    if scheme.lower() != "bearer" or not _may_ask(realm, reference):
        raise EnvironmentFault(f"The registry {reference.host} gives no anonymous access to {reference.repository}.")
    answer = client.get(realm, params={"scope": f"repository:{reference.repository}:pull", **_known(challenge)})
    try:
        told_token = answer.json() if answer.is_success else {}
        token = told_token.get("token") or told_token.get("access_token")
    except (ValueError, AttributeError):
        token = None
    if not isinstance(token, str) or not token:
        raise EnvironmentFault(
            f"The registry {reference.host} gives no token for {reference.repository} (status {answer.status_code}): "
            "is the image public?"
        )
    return token


def _known(challenge: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in challenge.items() if name in ("service", "scope")}


def _may_ask(realm: str, reference: Reference) -> bool:
    """Whether a token may be fetched there: over TLS, or on this machine for a registry on this machine."""
    parts = urlsplit(realm)
    on_this_machine = bool(_LOOPBACK.fullmatch(reference.host) and _LOOPBACK.fullmatch(parts.netloc))
    return parts.scheme == "https" or (parts.scheme == "http" and on_this_machine)


def _checked(answer: httpx.Response, name: str, reference: Reference) -> tuple[str, dict[str, Any]]:
    """Digest and manifest, if it is what the registry says that it is, and what was asked for by digest."""
    found = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
    told = answer.headers.get("docker-content-digest", found)
    asked = name if _DIGEST.fullmatch(name) else found
    if len(answer.content) > _LARGEST_MANIFEST or not found == told == asked:
        raise EnvironmentFault(
            f"What {reference.host} sends for {reference} at {name} is not what its digest says: nothing was pinned."
        )
    try:
        manifest = json.loads(answer.content)
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict):
        raise EnvironmentFault(f"{reference.host} does not answer as a container registry does.")
    return found, manifest


def _for_platform(manifest: dict[str, Any], os: str, architecture: str, reference: Reference) -> str:
    if manifest.get("mediaType") in _MANIFESTS or "manifests" not in manifest:
        raise InputError(
            f"{reference} is an image for one platform that it does not tell: pin a tag whose index has "
            f"{os}/{architecture}."
        )
    platforms = [entry.get("platform") or {} for entry in manifest["manifests"]]
    digests = [
        str(entry.get("digest"))
        for entry, platform in zip(manifest["manifests"], platforms, strict=True)
        if (platform.get("os"), platform.get("architecture")) == (os, architecture)
    ]
    if not digests:
        # Attestations stand in the same list, for the platform unknown/unknown.
        offered = {f"{one.get('os')}/{one.get('architecture')}" for one in platforms} - {"unknown/unknown", "None/None"}
        raise InputError(
            f"{reference} is not built for {os}/{architecture}: it has {', '.join(sorted(offered)) or 'none'}."
        )
    if len(digests) > 1 or not _DIGEST.fullmatch(digests[0]):
        raise EnvironmentFault(f"{reference} has {len(digests)} images for {os}/{architecture}: nothing was pinned.")
    return digests[0]
