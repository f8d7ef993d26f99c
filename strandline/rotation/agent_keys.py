"""The key that a managed gateway has minted for an agent: the function that minted it mints the next.

It alone has the master key; here its steps are called, one by one, as Secrets Manager calls them on a schedule.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

from agent_runtime.errors import EnvironmentFault
from stacks.custom_resources.key_rotation import GRACE, GRACE_SECONDS
from stacks.names import KEY_MAKER_OUTPUT
from strandline.aws_errors import told
from strandline.deployed_stacks import stack_outputs
from strandline.rotation.minted import MintedKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from strandline.rotation.rotate import Progress
    from strandline.rotation.versions import SecretVersions

_OURS = ("RotationRefused", "ProxyRefused", "LabelsMoved")
"""Exceptions of the function whose words are ours."""


class AgentKey(MintedKey):
    """The key of one agent; it is one variable."""

    no_way_back = "the gateway has ended the key before"

    def stage(self, read_value: Callable[[str], str], progress: Progress = lambda _: None) -> None:
        """Has the next key minted, with the budget and limits of the present one; see the base class."""
        del read_value, progress
        labels = self.look().labels[self.variable]
        token = labels.pending or str(uuid.uuid4())
        self._step("createSecret", token)
        self._record("staged", {self.variable: token})

    def verify(self) -> None:
        """Has the staged key tried at the gateway; see the base class."""
        pending = self._pending()
        # Again, because of what a schedule has staged there may be no key yet.
        self._step("createSecret", pending[self.variable])
        self._step("testSecret", pending[self.variable])
        self._record("verified", pending)

    def promote(self, grace_seconds: int | None = None) -> None:
        """Makes the staged key the agent's, and lets the gateway end the one before; see the base class."""
        pending = self._pending()
        more = {GRACE: GRACE_SECONDS if grace_seconds is None else grace_seconds}
        self._step("finishSecret", pending[self.variable], **more)
        self._record("promoted", pending)

    def _take_back(self, versions: SecretVersions, pending: str) -> None:
        del versions
        self._step("abandon", pending)

    def _step(self, step: str, token: str, **more: int) -> None:
        event = {"Step": step, "SecretId": self._secret(self.variable), "ClientRequestToken": token, **more}
        with told("AWS", "AWS does not call the function that mints keys"):
            answer = self._target.client("lambda").invoke(
                FunctionName=self._function(), Payload=json.dumps(event).encode()
            )
            said = json.loads(answer["Payload"].read() or b"null")
        if not answer.get("FunctionError"):
            return
        fault = said if isinstance(said, dict) else {}
        kind, message = str(fault.get("errorType", "unknown")), str(fault.get("errorMessage", ""))
        reason = message if kind in _OURS else kind
        raise EnvironmentFault(f"{step} of {self._secret(self.variable)} failed: {reason}. Run the command again.")

    def _function(self) -> str:
        stack = self._target.stack_name("Gateway")
        function = stack_outputs(self._target, stack).get(KEY_MAKER_OUTPUT)
        if function is None:
            raise EnvironmentFault(f"The stack {stack} tells of nothing that mints keys: deploy it again.")
        return function
