"""The gateway's own keys: the master key, and a stateless gateway's key for inference, as an operator rotates them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent_runtime.errors import EnvironmentFault
from stacks.custom_resources import gateway_tasks, own_key
from stacks.gateway_target import own_keys
from stacks.names import next_key
from strandline.aws_errors import told
from strandline.rotation.gateway_tasks import NewTasksFail, open_tasks, patience
from strandline.rotation.minted import MintedKey
from strandline.rotation.versions import SecretVersions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from strandline.rotation.rotate import Progress


class OwnKey(MintedKey):
    """A key of the gateway itself, which its tasks read when they start.

    What is done with it is in `stacks/custom_resources/own_key.py`: the function that rotates it on a schedule does the
    same by the same code (`own_key_rotation.py`).
    """

    no_way_back = "no task of the gateway takes the key before any more"

    @property
    def reaches_gateway(self) -> bool:
        """Its tasks take the next key already, or are replaced when it is the present one."""
        return False

    def stage(self, read_value: Callable[[str], str], progress: Progress = lambda _: None) -> None:
        """Stages the next key; see the base class."""
        del read_value
        with _told():
            key = self._key()
            following = key.following()
            key.prepare(patience(), progress)
        super().stage(lambda _: following, progress)

    def verify(self) -> None:
        """Sees that every task takes what is staged; see the base class."""
        with _told():
            key, versions, pending = self._key(), self._versions[self.variable], self._pending()[self.variable]
            value = versions.staged(pending)
            if value is None:
                # The schedule has begun, and its function was not called yet, or has failed.
                value = key.following()
                versions.put(value, pending)
            if not key.is_next(value):
                raise EnvironmentFault(
                    f"What is staged for {self.variable} is not the next key, and no task of the gateway takes it: "
                    "take it back with --abandon. Nothing was changed."
                )
            key.prepare(patience())
        super().verify()

    def retire(self, progress: Progress) -> None:
        """Makes the key after the next one, and new tasks, which take the old one no more."""
        with _told():
            self._key().settle(patience(), progress)
        self._record("retired", {})

    def _key(self) -> own_key.OwnKey:
        tasks = open_tasks(self._target)
        versions = self._versions[self.variable]
        if not own_keys(self._target.environment)[self.variable]:
            return own_key.SwappedKey(versions, tasks)
        following = SecretVersions(self._client, self._secret(next_key(self.variable)))
        return own_key.FollowedKey(self._client, versions, following, tasks)


@contextmanager
def _told() -> Iterator[None]:
    """Turns what the code of the function raises into errors for a person."""
    with told("AWS", "AWS does not rotate the gateway's key"):
        try:
            yield
        except gateway_tasks.NewTasksFail as fault:
            raise NewTasksFail(f"The rotation stops here, because {fault}. Run the command again.") from None
        except own_key.NoValue as fault:
            raise EnvironmentFault(f"{fault}.") from None
