# mypy: disable-error-code="import-not-found"
"""The output of sessions into CloudWatch Logs, with the rights of the execution role."""

from __future__ import annotations

import datetime
import threading
import time

from ministack.core.responses import request_scope
from ministack.services import cloudwatch_logs

from .. import roles
from .embedded_metrics import put_metrics


class LogSink:
    """One log stream. What the role may not write is dropped, as on AWS; the session's file has it."""

    def __init__(self, role_arn: str, account: str, region: str, group: str, session_id: str) -> None:
        self._role, self._account, self._region, self._group = role_arn, account, region, group
        day = datetime.datetime.now(datetime.UTC).strftime("%Y/%m/%d")
        self._stream = f"{day}/[runtime-logs]{session_id}"
        self._usable: bool | None = None
        self._lock = threading.Lock()

    def write(self, line: str) -> None:
        """Add a line."""
        with self._lock, request_scope(self._account, self._region):
            if self._usable is None:
                self._usable = self._open()
            if self._usable:
                event = {"timestamp": int(time.time() * 1000), "message": line}
                cloudwatch_logs._put_log_events(
                    {"logGroupName": self._group, "logStreamName": self._stream, "logEvents": [event]}
                )
                put_metrics(line)

    def _open(self) -> bool:
        group_arn = f"arn:aws:logs:{self._region}:{self._account}:log-group:{self._group}"
        stream_arn = f"{group_arn}:log-stream:{self._stream}"
        try:
            if self._group not in cloudwatch_logs._log_groups:
                roles.require(self._role, "logs:CreateLogGroup", group_arn, self._region)
                cloudwatch_logs._create_log_group({"logGroupName": self._group})
            roles.require(self._role, "logs:CreateLogStream", stream_arn, self._region)
            roles.require(self._role, "logs:PutLogEvents", stream_arn, self._region)
        except roles.Denied:
            return False
        cloudwatch_logs._create_log_stream({"logGroupName": self._group, "logStreamName": self._stream})
        return True
