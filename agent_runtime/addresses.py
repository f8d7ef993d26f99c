"""Which web addresses a blueprint may name.

Judges the text only: no name is resolved here. Names that resolve to a refused address are the business of the client
that connects.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from agent_runtime.strict import broken_rule

MAX_URL_CHARACTERS = 2048

Reach = Literal["public", "private", "loopback", "metadata"]

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.(?!-)[A-Za-z0-9_-]{1,63})*\.?")
_MAX_HOST_CHARACTERS = 253  # RFC 1035, section 2.3.4
_UNWANTED = re.compile(r"[^\x21-\x7e]|\\")

# Where clouds hand credentials to whoever asks: AWS, ECS and EKS (inside link-local and fd00:ec2::/32), Alibaba,
# Azure's wire server, Oracle.
_METADATA_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in (
        "169.254.0.0/16",
        "fe80::/10",
        "fd00:ec2::/32",
        "100.100.100.200/32",
        "168.63.129.16/32",
        "192.0.0.192/32",
    )
)
_METADATA_NAMES = frozenset(
    {"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"}
)
# Their names resolve to whatever address stands in the name, or to this machine.
_WILDCARD_DNS = (
    *(
        "nip.io",
        "sslip.io",
        "xip.io",
        "traefik.me",
        "backname.io",
        "localtest.me",
        "lvh.me",
        "vcap.me",
        "lacolhost.com",
    ),
    *("rbndr.us", "1u.ms", "localhost.run"),
)
# IPv6 addresses that carry an IPv4 address in their last 32 bits: NAT64 and the deprecated IPv4-compatible ones.
_CARRIERS = tuple(ipaddress.IPv6Network(network) for network in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96"))
_OWN_IPV6 = ("::", "::1")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def check_url(url: str) -> str:
    """Accept an https URL, or http on a loopback host, that cannot carry a credential or reach a metadata service.

    Args:
        url: The address as written.

    Returns:
        The same text.

    Raises:
        PydanticCustomError: The address breaks a rule. The message does not quote it: it may hold a password.
    """
    if len(url) > MAX_URL_CHARACTERS:
        raise broken_rule(f"is longer than {MAX_URL_CHARACTERS} characters", "shorten the address")
    if _UNWANTED.search(url):
        raise broken_rule(
            "holds a space, a backslash, a control character or a letter outside ASCII",
            "write the address in plain ASCII; a name with other letters goes in its xn-- form",
        )
    parts = _split(url)
    _check_extras(url, parts)
    _check_host(parts.hostname or "")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise broken_rule("sends the key over plain http", "use https; http is for a server on this machine only")
    return url


def is_loopback(host: str) -> bool:
    """Tell whether a host, as written in a URL, is this machine."""
    return reach_of_host(host) == "loopback"


def reach_of_url(url: str) -> Reach:
    """Tell from where an address can be reached; of a URL that `check_url` has accepted."""
    return reach_of_host(urlsplit(url).hostname or "")


def reach_of_host(host: str) -> Reach:
    """Tell from where a host can be reached, as far as the text says: a name is public until it is resolved."""
    address = _address_of(host)
    if address is None:
        return _reach_of_name(host.rstrip(".").lower())
    if any(address in network for network in _METADATA_NETWORKS) or address.is_multicast or address.is_unspecified:
        return "metadata"
    if address.is_loopback:
        return "loopback"
    return "public" if address.is_global else "private"


def _reach_of_name(name: str) -> Reach:
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761, section 6.3
        return "loopback"
    return "metadata" if name in _METADATA_NAMES else "public"


def _split(url: str) -> SplitResult:
    hint = "write it as https://host/path"
    try:
        parts = urlsplit(url)
        _ = parts.port  # read for its check: it raises on a port that is no number or out of range
    except ValueError:
        raise broken_rule("is not a valid address", hint) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise broken_rule("is not an http or https address", hint)
    return parts


def _check_extras(url: str, parts: SplitResult) -> None:
    if "@" in parts.netloc:
        raise broken_rule(
            "holds a user name or a password",
            "take it out of the address and name its variable in api_key_env or extra_headers_env",
        )
    if "?" in url or "#" in url:
        raise broken_rule("holds a query or a fragment", "end the address with its path")


def _check_host(host: str) -> None:
    if _address_of(host) is None:
        if ":" in host or not _HOST_NAME.fullmatch(host) or len(host) > _MAX_HOST_CHARACTERS:
            raise broken_rule("has a host that is not a valid name or address", "write it as https://host/path")
        name = host.rstrip(".").lower()
        if any(name == suffix or name.endswith(f".{suffix}") for suffix in _WILDCARD_DNS):
            raise broken_rule(
                "has a host whose name resolves to any address that stands in it",
                "name the host of the endpoint itself",
            )
    if reach_of_host(host) == "metadata":
        raise broken_rule(
            "leads to a link-local or metadata address, where a cloud hands out credentials",
            "name the host of the model's endpoint",
        )


def _address_of(host: str) -> _Address | None:
    """Read a host as clients do, in every notation: 2852039166, 0xA9FEA9FE, 0251.0376.0251.0376, ::ffff:a9fe:a9fe."""
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host.rstrip(".")))
    except (OSError, UnicodeError):
        pass
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        return None
    if address not in map(ipaddress.IPv6Address, _OWN_IPV6) and any(address in network for network in _CARRIERS):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)
