"""The code artefact: handler and locked dependencies in one zip for AgentCore's direct code deployment.

The zip depends on nothing but the lock files, our sources, the user's code, the target and the pinned compiler, so the
same inputs give the same bytes on any machine, path and day. It is built once and kept under the hash of its inputs; a
synth that finds it does no work. No Docker is needed: uv installs the target's wheels by their hashes.

`build` puts the parts together: `install` the wheels, check their `binaries`, `trim` them, compile their `bytecode`,
write the `archive`, hold it to AgentCore's `quotas`, and describe it in an `sbom`. docs/artefact.md tells all of it.
"""

from stacks.packaging.build import CodeArtefact, build_code_artefact
from stacks.packaging.install import lock_of
from stacks.packaging.target import AGENTCORE, HOST, Target

__all__ = ["AGENTCORE", "HOST", "CodeArtefact", "Target", "build_code_artefact", "lock_of"]
