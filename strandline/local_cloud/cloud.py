"""Start, stop and look at a local cloud. Talks to the emulator only over HTTP on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import EnvironmentFault, InputError
from strandline.local_cloud import launcher, orphans
from strandline.local_cloud.logs import LogReader
from strandline.local_cloud.paths import CloudPaths
from strandline.local_cloud.settings import CloudSettings, default_home, default_port

if TYPE_CHECKING:
    from pathlib import Path

_STOP_SECONDS = 15.0
# Long: on a loaded machine a cloud that is busy must not be taken for one that is gone.
_HEALTH_SECONDS = 10.0
_POLL_SECONDS = 0.05
_UNIX_PORTS = range(1024, 65536)
DEFAULT_ACCOUNT = "000000000000"

Progress = Callable[[str], None]

__all__ = ["DEFAULT_ACCOUNT", "CloudStatus", "LocalCloud", "default_home", "default_port"]


@dataclass(frozen=True, slots=True)
class CloudStatus:
    """What runs in a local cloud at this moment."""

    running: bool
    url: str = ""
    pid: int = 0
    detail: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The object that `status --json` prints."""
        return {"running": self.running, "url": self.url, "pid": self.pid, **self.detail}


class LocalCloud:
    """A local cloud, named by its home folder."""

    def __init__(self, home: Path | None = None, settings: CloudSettings | None = None) -> None:
        """Name a cloud; nothing is started and nothing is written.

        Args:
            home: Its folder; `STRANDLINE_HOME` or `.strandline` when left out.
            settings: What differs from the defaults (images, regions), for tests above all.
        """
        self.paths = CloudPaths((home or default_home()).resolve())
        self._settings = settings or CloudSettings()

    def up(self, port: int | None = None, *, persist: bool = False, progress: Progress = lambda step: None) -> str:
        """Start the cloud and wait until it answers; return its URL. One that runs already is left as it is.

        Args:
            port: The port of its only API; `STRANDLINE_LOCAL_PORT` or 4566 when left out.
            persist: Keep what is deployed over `down` and `up`.
            progress: Told what is being done, for a display.

        Raises:
            EnvironmentFault: The port is in use, there is no disk, or the emulator ended at start.
        """
        wanted = default_port() if port is None else port
        if wanted not in _UNIX_PORTS:
            raise InputError(f"port {wanted} cannot be used: choose one from 1024 to 65535")
        if self.running():
            return self._running_at(port)
        progress("Removing what an earlier run left")
        orphans.end(self.paths.cloud_id)
        self._prepare(persist)
        return launcher.launch(self.paths, self._settings.for_run(self.paths, wanted, persist), progress)

    def down(self) -> int:
        """Stop the cloud and everything that it runs; return the number of processes that had to be hunted down."""
        record = self._record()
        if record and self.paths.cloud_id and record["pid"] in orphans.find(self.paths.cloud_id):
            with contextlib.suppress(ProcessLookupError):
                os.kill(record["pid"], signal.SIGTERM)
            self._await_end(record["pid"])
        strays = orphans.end(self.paths.cloud_id)
        launcher.reap()
        with contextlib.suppress(OSError):
            self.paths.running.unlink()
        return strays

    def running(self) -> bool:
        """Whether the cloud answers."""
        record = self._record()
        if record is None:
            return False
        with contextlib.suppress(OSError, ValueError):
            return bool(self._get("/_strandline/health", _HEALTH_SECONDS)["cloud_id"] == self.paths.cloud_id)
        return False

    def status(self) -> CloudStatus:
        """What runs: stacks, services and tasks, sessions.

        Raises:
            EnvironmentFault: The cloud is there but does not answer.
        """
        record = self._record()
        if record is None or not self.running():
            return CloudStatus(running=False)
        try:
            detail = self._get("/_strandline/status", 20.0)
        except (OSError, ValueError) as fault:
            raise EnvironmentFault(f"the local cloud at {self.url} does not answer: {fault}") from fault
        return CloudStatus(running=True, url=self.url, pid=record["pid"], detail=detail)

    def logs(
        self, name: str | None = None, *, follow: bool = False, lines: int | None = None, raw: bool = False
    ) -> Iterator[str]:
        """Lines of the logs, those of the emulator first, then each task's and session's, `name: line`.

        Args:
            name: Only logs whose name contains this.
            follow: Go on until the reader has had enough.
            lines: Only the last so many of each log.
            raw: As they were written; the handler's are JSON.
        """
        return LogReader(self.paths.logs).read(name, follow=follow, lines=lines, raw=raw)

    @property
    def url(self) -> str:
        """Where the cloud answers.

        Raises:
            EnvironmentFault: It is not running.
        """
        record = self._record()
        if record is None:
            raise EnvironmentFault("the local cloud is not running (start it with `strandline local up`)")
        return f"http://127.0.0.1:{record['port']}"

    def environment(self, account: str = DEFAULT_ACCOUNT) -> dict[str, str]:
        """The variables that point any AWS client at this cloud, as the root of an account.

        Raises:
            InputError: The account is not twelve digits.
            EnvironmentFault: The cloud is not running.
        """
        if len(account) != len(DEFAULT_ACCOUNT) or not account.isdigit():
            raise InputError(f"account {account!r} is not an account id: twelve digits are needed")
        region = self._settings.region
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": account,
            # The emulator takes an account id for the key of that account's root, with any secret.
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "CDK_DEFAULT_ACCOUNT": account,
            "CDK_DEFAULT_REGION": region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "CDK_DISABLE_CLI_TELEMETRY": "true",
        }

    # What must not be set beside it: a profile or a session token of the real AWS would win over the key.
    CONFLICTING_VARIABLES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN")

    def _prepare(self, persist: bool) -> None:
        try:
            for folder in (self.paths.scratch, self.paths.logs, *([] if persist else [self.paths.state])):
                shutil.rmtree(folder, ignore_errors=True)
            for folder in (self.paths.cloud, self.paths.scratch, self.paths.logs, self.paths.state):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as fault:
            raise EnvironmentFault(f"{self.paths.home}: cannot be written: {fault.strerror or fault}") from fault

    def _running_at(self, port: int | None) -> str:
        if port is not None and not self.url.endswith(f":{port}"):
            raise InputError(f"the local cloud of {self.paths.home} runs at {self.url} already: run `down` first")
        return self.url

    def _record(self) -> dict[str, int] | None:
        with contextlib.suppress(OSError, ValueError):
            record = json.loads(self.paths.running.read_text())
            return {"pid": int(record["pid"]), "port": int(record["port"])}
        return None

    def _await_end(self, pid: int) -> None:
        deadline = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < deadline and pid in orphans.find(self.paths.cloud_id):
            time.sleep(_POLL_SECONDS)

    def _get(self, path: str, timeout: float) -> dict[str, Any]:
        # Without the proxies of the operator's environment: the address is loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.url}{path}", timeout=timeout) as answer:
            loaded: dict[str, Any] = json.load(answer)
            return loaded
