# mypy: disable-error-code="import-not-found"
"""RotateSecret: the function is called with the four steps, as AWS calls it.

MiniStack makes another version with the same value current at once, and calls nobody.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response, request_scope
from ministack.services import lambda_svc, secretsmanager

logger = logging.getLogger("strandline.rotation")

# "Rotation by Lambda function", AWS Secrets Manager.
_STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
_PENDING, _CURRENT = "AWSPENDING", "AWSCURRENT"
_ROTATED = "LastRotatedDate"
_TRIES = 3
_PAUSE_SECONDS = 1.0

Answer = tuple[int, dict[str, str], bytes]


def install() -> None:
    """Take over RotateSecret, and have DescribeSecret tell when a secret was rotated last."""
    original, describe = secretsmanager._rotate_secret, secretsmanager._describe_secret

    def rotate_secret(asked: dict[str, Any]) -> Answer:
        _, record = secretsmanager._resolve(asked.get("SecretId"))
        if not record or record.get("DeletedDate") or secretsmanager._is_replica(record):
            refused: Answer = original(asked)
            return refused
        return _rotate(asked, record)

    def describe_secret(asked: dict[str, Any]) -> Answer:
        told: Answer = describe(asked)
        _, record = secretsmanager._resolve(asked.get("SecretId"))
        if not record or _ROTATED not in record:
            return told
        answered: Answer = json_response({**json.loads(told[2]), _ROTATED: record[_ROTATED]})
        return answered

    secretsmanager._rotate_secret = rotate_secret
    secretsmanager._describe_secret = describe_secret


def _rotate(asked: dict[str, Any], record: dict[str, Any]) -> Answer:
    arn = asked.get("RotationLambdaARN") or record.get("RotationLambdaARN")
    if not arn:
        return _refusal("InvalidRequestException", "No Lambda rotation function ARN is associated with this secret.")
    account, region = get_account_id(), get_region()
    function, config, _ = lambda_svc._get_func_record_for_ref_in_scope(arn, account_id=account, region=region)
    if not function or not config:
        return _refusal("ResourceNotFoundException", f"Secrets Manager can't find the Lambda function {arn}.")
    pending, _ = secretsmanager._find_stage_version(record, _PENDING)
    token = asked.get("ClientRequestToken") or str(uuid.uuid4())
    if pending not in (None, token, secretsmanager._find_stage_version(record, _CURRENT)[0]):
        return _refusal(
            "InvalidRequestException", "A previous rotation isn't complete. That rotation will be reattempted."
        )
    rules = asked.get("RotationRules") or record.get("RotationRules")
    record |= {"RotationEnabled": True, "RotationLambdaARN": arn, "RotationRules": rules}
    is_immediate = asked.get("RotateImmediately", True)
    secretsmanager._remove_stage_everywhere(record, _PENDING)
    # A version without a value, which the function writes.
    record["Versions"][token] = {
        "SecretString": None,
        "SecretBinary": None,
        "CreatedDate": int(time.time()),
        "Stages": [_PENDING],
    }
    rotation = _Rotation(lambda_svc._execution_record_for_config(function, config), record, token, account, region)
    work = rotation.rotate if is_immediate else rotation.try_out
    threading.Thread(target=work, daemon=True, name="rotation").start()
    answered: Answer = json_response({"ARN": record["ARN"], "Name": record["Name"], "VersionId": token})
    return answered


class _Rotation:
    """One rotation, beside the request that asked for it."""

    def __init__(self, function: Any, record: dict[str, Any], token: str, account: str, region: str) -> None:
        self._function = function
        self._record = record
        self._token = token
        self._scope = account, region

    def rotate(self) -> None:
        """All steps; from the first one again where one fails."""
        for _ in range(_TRIES):
            if all(self._call(step) for step in _STEPS):
                self._record[_ROTATED] = int(time.time())
                return
            time.sleep(_PAUSE_SECONDS)

    def try_out(self) -> None:
        """The third step alone, as a schedule is tried that does not rotate at once; the version goes again."""
        self._call("testSecret")
        secretsmanager._remove_stage(self._record, self._token, _PENDING)
        if not self._record["Versions"][self._token]["Stages"]:
            del self._record["Versions"][self._token]

    def _call(self, step: str) -> bool:
        event = {"Step": step, "SecretId": self._record["ARN"], "ClientRequestToken": self._token}
        with request_scope(*self._scope):
            answered = lambda_svc._execute_function_with_config_scope(self._function, event)
        if not answered.get("error"):
            return True
        told = answered.get("body")
        reason = told.get("errorType") if isinstance(told, dict) else None
        logger.error("secret=<%s>, step=<%s>, error=<%s> | the rotation failed", self._record["Name"], step, reason)
        return False


def _refusal(code: str, message: str) -> Answer:
    refused: Answer = error_response_json(code, message, 400)
    return refused
