"""The real Presidio, started once for a module, with every way to the network shut."""

import socket

import pytest

from agent_runtime.data_protection import ProtectionSettings, build_protection


class NetworkTouchedError(BaseException):
    """Not an Exception, so that nothing on the way can take it for a lack of network and go on."""


@pytest.fixture(scope="module", autouse=True)
def no_network():
    def refuse(*arguments, **options):
        raise NetworkTouchedError(f"{arguments[1:]}")

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, refuse)
        for name in ("getaddrinfo", "gethostbyname"):
            patch.setattr(socket, name, refuse)
        yield


@pytest.fixture(scope="module")
def masking(no_network):
    return build_protection(ProtectionSettings(provider="presidio"))


@pytest.fixture(scope="module")
def blocking(no_network):
    return build_protection(ProtectionSettings(provider="presidio", action="block"))
