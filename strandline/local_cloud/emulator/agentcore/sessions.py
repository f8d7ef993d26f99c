"""Sessions: one process for each, started at its first request, ended when it was idle or has lived long enough."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from ..roles import CredentialVendor, account_of
from . import artifact
from .session import Session, SessionKey, StartFailure
from .shapes import Invalid, idle_timeout, lifetime, platform

if TYPE_CHECKING:
    from ..processes import Supervisor
    from ..settings import Settings

logger = logging.getLogger("strandline.agentcore")

_REAP_SECONDS = 0.2
_BOOT_SESSION = "boot"


class SessionManager:
    """All sessions of all runtimes."""

    def __init__(self, settings: Settings, supervisor: Supervisor, vendor: CredentialVendor) -> None:
        self._settings = settings
        self._supervisor = supervisor
        self._vendor = vendor
        self._sessions: dict[SessionKey, Session] = {}
        self._starting: dict[SessionKey, threading.Lock] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin to end sessions whose time has come."""
        threading.Thread(target=self._reap, daemon=True, name="agentcore-reaper").start()

    def acquire(self, version: dict[str, Any], endpoint: str, session_id: str) -> Session:
        """The session, running, with one more request in flight; the caller releases it.

        A session that runs keeps its version, whatever the endpoint points at by now.

        Raises:
            StartFailure: The process ended at start, or was not healthy in time.
            Invalid: The artefact cannot be run.
        """
        key = SessionKey(version["agentRuntimeArn"], endpoint, session_id)
        with self._lock:
            gate = self._starting.setdefault(key, threading.Lock())
        with gate:
            with self._lock:
                session = self._sessions.get(key)
                if session is not None and session.take():
                    return session
            fresh = self._launch(version, key)
            fresh.take()
            with self._lock:
                self._sessions[key] = fresh
            return fresh

    def fetch(self, account: str, location: dict[str, Any]) -> bytes:
        """The bytes of an artefact.

        Raises:
            Invalid: There is no such object.
        """
        return artifact.fetch(self._settings.url, account, location)

    def boot(self, version: dict[str, Any]) -> None:
        """Start the code once, until it is healthy, and end it: what platform V2 does when a version is made.

        Raises:
            StartFailure: The process ended at start, or was not healthy in time; with its last lines.
            Invalid: The artefact cannot be run.
        """
        session_id = f"{_BOOT_SESSION}-{version['agentRuntimeVersion']}"
        self._launch(version, SessionKey(version["agentRuntimeArn"], "DEFAULT", session_id)).end(self._stop_seconds)

    def stop(self, runtime_arn: str, endpoint: str, session_id: str) -> bool:
        """End a session; false if there is none."""
        with self._lock:
            session = self._sessions.pop(SessionKey(runtime_arn, endpoint, session_id), None)
        if session is None:
            return False
        running = session.running
        session.end(self._stop_seconds)
        return running

    def stop_runtime(self, runtime_arn: str) -> None:
        """End every session of a runtime."""
        with self._lock:
            keys = [key for key in self._sessions if key.runtime_arn == runtime_arn]
            ended = [self._sessions.pop(key) for key in keys]
        for session in ended:
            session.end(self._stop_seconds)

    def snapshot(self) -> list[dict[str, Any]]:
        """The sessions that run."""
        with self._lock:
            return [session.describe() for session in self._sessions.values() if session.running]

    @property
    def _stop_seconds(self) -> float:
        return self._settings.limits.stop

    def _launch(self, version: dict[str, Any], key: SessionKey) -> Session:
        configuration = version["agentRuntimeArtifact"].get("codeConfiguration")
        if configuration is None:
            raise Invalid("A container runtime needs a Docker engine, and there is none on this machine")
        content = self.fetch(account_of(key.runtime_arn), configuration["code"]["s3"])
        code = artifact.unpack(content, self._settings.scratch / "code")
        command = artifact.command(code, configuration, self._settings.scratch / "interpreters")
        session = Session(key, version, self._settings, self._vendor)
        session.launch(self._supervisor, command, code)
        limits = self._settings.limits
        try:
            session.await_healthy(limits.start_v2 if platform(version) > 1 else limits.start_v1)
        except StartFailure:
            session.end(self._stop_seconds)
            raise
        logger.info(
            "runtime=<%s>, version=<%s>, session=<%s> | started", key.runtime_id, session.version, key.session_id
        )
        return session

    def _reap(self) -> None:
        while not self._supervisor.closing:
            time.sleep(_REAP_SECONDS)
            with self._lock:
                over = [key for key, session in self._sessions.items() if self._is_over(session)]
                ended = [(key, self._sessions.pop(key)) for key in over]
            for key, session in ended:
                logger.info("runtime=<%s>, session=<%s> | ended", key.runtime_id, key.session_id)
                threading.Thread(target=session.end, args=(self._stop_seconds,), daemon=True).start()

    def _is_over(self, session: Session) -> bool:
        scale = self._settings.limits.idle_scale
        if session.age > lifetime(session.properties) * scale:
            return True
        return session.idle_seconds > idle_timeout(session.properties) * scale and not session.is_busy()
