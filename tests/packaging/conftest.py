"""The artefact that most agents run on, which takes some seconds to build."""

from __future__ import annotations

import pytest

from stacks.packaging import AGENTCORE, CodeArtefact, build_code_artefact
from tests.stacks.projects import ROOT

OF_MOST_AGENTS = ("light", "otel")


@pytest.fixture(scope="session")
def artefact_of_most_agents() -> CodeArtefact:
    return build_code_artefact(OF_MOST_AGENTS, AGENTCORE, ROOT / ".strandline")
