"""The certificates that the gateway verifies its database by, one for each region."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from agent_runtime.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE = Path(__file__).with_name("rds-roots.pem")
_END = "-----END CERTIFICATE-----"


def root_of(region: str) -> str:
    """Finds the root certificate of RDS in a region.

    Args:
        region: The region.

    Returns:
        The certificate as PEM.

    Raises:
        InputError: The file has none for that region.
    """
    try:
        return _roots()[region]
    except KeyError:
        raise InputError(
            f"{_FILE.name} holds no root certificate for a database in {region}: add the RSA2048 one of "
            f"https://truststore.pki.rds.amazonaws.com/{region}/{region}-bundle.pem under a line '# {region}'."
        ) from None


@cache
def _roots() -> Mapping[str, str]:
    roots: dict[str, str] = {}
    for part in _FILE.read_text(encoding="ascii").split(_END)[:-1]:
        comment, begin, body = part.rpartition("-----BEGIN CERTIFICATE-----")
        roots[comment.split()[-1]] = f"{begin}{body}{_END}\n"
    return roots
