"""How the tests are shared out to processes: what uses one local cloud stays together, and the longest goes first."""

from __future__ import annotations

import functools
import os
import ssl

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from strandline.toolchain import node_bin

# jsii starts the node that this names when aws_cdk is first imported; a machine has an older one or none.
os.environ.setdefault("JSII_NODE", str(node_bin() / "node"))

# These share a cloud or a deployment; every other module is a group of its own.
TOGETHER = ("tests/e2e", "tests/local_cloud")
# These have a cloud of their own, so that they run beside the others of their folder.
APART = ("tests/e2e/test_promotion.py", "tests/e2e/test_bad_releases.py")
# What takes more than half a minute, the longest first: what comes last is short, so that all processes end together.
LONGEST = (
    TOGETHER[0],
    *APART,
    *TOGETHER[1:],
    "tests/packaging/test_contents.py",
    "tests/stacks/test_cdk_cli.py",
    "tests/fields/test_every_field.py",
    "tests/snapshot/test_restored_sessions.py",
    "tests/tools/test_synth.py",
    "tests/packaging/test_imports.py",
    "tests/gateway/test_proxy.py",
    "tests/telemetry/test_gateway.py",
    "tests/packaging/test_build.py",
    "tests/runtime/test_faults.py",
    "tests/providers/test_matrix.py",
    "tests/providers/test_parity.py",
    "tests/providers/test_sources.py",
)

# The same examples each time, and none that a slow machine makes fail; `make fuzz` looks for others.
settings.register_profile("strandline", deadline=None, derandomize=True)
settings.load_profile("strandline")


@pytest.fixture(autouse=True, scope="session")
def _certificates_are_read_once():
    """Each client of HTTP would read all certificates of the world anew, and here nobody is called but this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", functools.cache(ssl.create_default_context))
        yield


@pytest.fixture(autouse=True)
def _prompt_retries(monkeypatch):
    """What is sent again is sent soon, unless its endpoint says when; tests/runtime/test_retries.py has the wait."""
    monkeypatch.setattr("agent_runtime.retries._FIRST_DELAY_SECONDS", 0.01)


class _Groups(LoadScopeScheduling):
    # Not xdist's `loadgroup`, which finds no group under pytest 9.2.
    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)


def pytest_xdist_make_scheduler(config, log):
    return _Groups(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The same order in each process, or xdist refuses; within a group as collected.
    items.sort(key=lambda item: _rank(_group(item.nodeid)))


def _group(nodeid: str) -> str:
    module = nodeid.partition("::")[0]
    if module in APART:
        return module
    return next((folder for folder in TOGETHER if module.startswith(f"{folder}/")), module)


def _rank(group: str) -> int:
    return LONGEST.index(group) if group in LONGEST else len(LONGEST)
