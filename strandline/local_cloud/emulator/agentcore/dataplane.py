# mypy: disable-error-code="import-not-found"

"""InvokeAgentRuntime, GetAgentCard and StopRuntimeSession; and the control plane's create, update and delete."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ministack.core import iam_actions, iam_evaluator
from ministack.core.concurrency import run_reentrant
from ministack.core.responses import StreamingResponse, error_response_json, json_response
from ministack.services import bedrock_agentcore as service

from .. import relay
from ..redaction import redact
from .control import Conflict, NotFound, Runtimes, read
from .protocols import CARD_PATH, protocol_of
from .session import Session, StartFailure
from .shapes import Body, Invalid

if TYPE_CHECKING:
    from ..context import Context
    from .sessions import SessionManager

Response = tuple[int, dict[str, str], Any]
Handler = Callable[[str, str, dict[str, str], bytes, dict[str, Any]], Awaitable[Response]]

_SESSION_HEADER = "x-amzn-bedrock-agentcore-runtime-session-id"
_CUSTOM_PREFIX = "x-amzn-bedrock-agentcore-runtime-custom-"
_SESSION_LENGTH = range(33, 257)
_ERROR_STATUS = 400
_FORWARDED = (
    "content-type",
    "accept",
    "mcp-session-id",
    "mcp-protocol-version",
    "mcp-method",
    "mcp-name",
    "x-amzn-bedrock-agentcore-runtime-user-id",
    "x-amzn-trace-id",
    "traceparent",
    "tracestate",
    "baggage",
)
_RETURNED = (
    "content-type",
    "content-length",
    "mcp-session-id",
    "mcp-protocol-version",
    "x-amzn-trace-id",
    "traceparent",
    "tracestate",
    "baggage",
)
_CALL = re.compile(r"/runtimes/(?P<arn>.+)/(?P<verb>invocations|stopruntimesession)/?")
_CARD = re.compile(r"/runtimes/(?P<arn>.+)/invocations/\.well-known/agent-card\.json")
_RUNTIME = re.compile(r"/runtimes(?:/(?P<id>[^/]+))?/?")


class Forbidden(Exception):
    """Raised when a resource policy refuses the caller."""


_REFUSALS: dict[type[Exception], tuple[str, int]] = {
    Invalid: ("ValidationException", 400),
    Forbidden: ("AccessDeniedException", 403),
    NotFound: ("ResourceNotFoundException", 404),
    Conflict: ("ConflictException", 409),
}


def install(context: Context) -> None:
    """Put our operations before MiniStack's, and its policy check on those that it does not know."""
    operations = Operations(context.sessions, context.settings.limits.invocation)
    inner: Handler = service.handle_request

    async def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Response:
        answer = await operations.handle(method, unquote(path), headers, body, query)
        return await inner(method, path, headers, body, query) if answer is None else answer

    service.handle_request = handle
    _authorize_stop()


def _authorize_stop() -> None:
    """Without this anybody may call StopRuntimeSession and GetAgentCard: MiniStack's table of actions has neither."""
    arn_of = iam_actions._agentcore_runtime_arn
    action_of = iam_actions.extract_iam_action

    def runtime_arn(path: str) -> str | None:
        call = _CALL.fullmatch(unquote(path)) or _CARD.fullmatch(unquote(path))
        return call["arn"] if call else arn_of(path)

    def action(service_name: str, method: str, path: str, *rest: Any) -> str | None:
        call = _CALL.fullmatch(unquote(path)) if service_name == "bedrock-agentcore" and method == "POST" else None
        if call and call["verb"] == "stopruntimesession":
            return "bedrock-agentcore:StopRuntimeSession"
        if service_name == "bedrock-agentcore" and _CARD.fullmatch(unquote(path)):
            return "bedrock-agentcore:GetAgentCard"
        found: str | None = action_of(service_name, method, path, *rest)
        return found

    iam_actions._agentcore_runtime_arn = runtime_arn
    iam_actions.extract_iam_action = action


class Operations:
    """The operations that are ours."""

    def __init__(self, sessions: SessionManager, timeout: float) -> None:
        self._sessions = sessions
        self._timeout = timeout
        self._runtimes = Runtimes(sessions)

    async def handle(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Response | None:
        """The answer, or None for what MiniStack does itself."""
        call, card, runtime = _CALL.fullmatch(path), _CARD.fullmatch(path), _RUNTIME.fullmatch(path)
        try:
            if card and method == "GET":
                return await self._card(card["arn"], headers, query)
            if call and method == "POST":
                operation = self._invoke if call["verb"] == "invocations" else self._stop
                return await operation(call["arn"], headers, body, query)
            if runtime and method in {"PUT", "DELETE"}:
                changed: Response = await run_reentrant(self._change, method, runtime["id"], body)
                return changed
        except tuple(_REFUSALS) as refusal:
            code, status = _REFUSALS[type(refusal)]
            return _error(code, str(refusal), status)
        return None

    def _change(self, method: str, runtime_id: str | None, body: bytes) -> Response:
        if method == "DELETE":
            self._runtimes.delete(str(runtime_id))
            return _json({"status": "DELETING", "agentRuntimeId": runtime_id}, 202)
        if runtime_id is None:
            return _json(_summary(self._runtimes.create(read(body))) | {"status": "CREATING"}, 202)
        return _json(_summary(self._runtimes.update(runtime_id, read(body))) | {"status": "UPDATING"}, 202)

    async def _invoke(self, arn: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Response:
        version, endpoint = _resolve(arn, headers, query)
        return await self._pass_on(version, endpoint, protocol_of(version).path, headers, body or b"")

    async def _card(self, arn: str, headers: dict[str, str], query: dict[str, Any]) -> Response:
        version, endpoint = _resolve(arn, headers, query)
        if not protocol_of(version).has_card:
            raise Invalid(f"Agent runtime {arn} does not serve the A2A protocol and has no agent card")
        return await self._pass_on(version, endpoint, CARD_PATH, headers, None)

    async def _pass_on(
        self, version: Body, endpoint: str, path: str, headers: dict[str, str], body: bytes | None
    ) -> Response:
        """Carry a request to the session's process; without a body it is a GET."""
        named = (headers.get(name) for name in protocol_of(version).session_headers)
        session_id = next(filter(None, named), None) or str(uuid.uuid4())
        _check_session_id(session_id)
        try:
            session = await run_reentrant(self._sessions.acquire, version, endpoint, session_id)
        except StartFailure as failure:
            return _error("RuntimeClientError", f"The runtime could not be started. {redact(str(failure))}", 424)
        names = dict.fromkeys({_SESSION_HEADER, *protocol_of(version).session_headers}, session_id)
        try:
            address = ("127.0.0.1", session.port)
            sent = {"host": f"{address[0]}:{address[1]}"} | _forwarded(headers, version) | names
            method = "GET" if body is None else "POST"
            upstream = await relay.open_upstream(address, method, path, body, sent, self._timeout)
        except relay.Unreachable as fault:
            await asyncio.to_thread(session.settle)
            session.release()
            return _error("RuntimeClientError", f"The runtime did not answer: {fault}", 424)
        except asyncio.CancelledError:
            session.release()
            raise
        if upstream.status >= _ERROR_STATUS:
            upstream.close()
            session.release()
            seen = f"Received error ({upstream.status}) from runtime."
            return _error("RuntimeClientError", f"{seen} Please check your CloudWatch logs for more information.", 424)
        return _streamed(upstream, session, names)

    async def _stop(self, arn: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Response:
        session_id = headers.get(_SESSION_HEADER, "")
        _check_session_id(session_id)
        _, endpoint = _resolve(arn, headers, query)
        if not await run_reentrant(self._sessions.stop, arn, endpoint, session_id):
            return _error("ResourceNotFoundException", f"Session {session_id} was not found", 404)
        answer = _json({}, 200)
        answer[1][_SESSION_HEADER] = session_id
        return answer


def _streamed(upstream: relay.Upstream, session: Session, names: dict[str, str]) -> Response:
    async def run(send: relay.Send, receive: relay.Receive) -> None:
        try:
            await relay.stream(upstream, send, receive)
        finally:
            session.release()

    returned = {name: value for name, value in upstream.headers if name in _RETURNED}
    return upstream.status, returned | names, StreamingResponse(run)


def _resolve(arn: str, headers: dict[str, str], query: dict[str, Any]) -> tuple[Body, str]:
    """The version that the qualifier names, and the endpoint's name.

    Raises:
        NotFound: No such runtime, endpoint or version.
        Forbidden: A resource policy refuses the caller.
    """
    runtime, account, region = service._find_runtime(arn)
    if runtime is None:
        raise NotFound(f"Agent runtime {arn} was not found")
    qualifier = service._agentcore_query_value(query, "qualifier") or "DEFAULT"
    endpoint = service._endpoint_for_qualifier(runtime, account, region, qualifier)
    if endpoint is None:
        raise NotFound(f"Endpoint {qualifier} of agent runtime {arn} was not found")
    iam_evaluator.pin_request_caller(headers, query)
    if not service._resource_policy_allows_invocation(runtime, account, region, qualifier, headers, query):
        caller = iam_evaluator.caller_arn()
        raise Forbidden(
            f"User: {caller} is not authorized to perform: bedrock-agentcore:InvokeAgentRuntime on resource: {arn}"
        )
    version: Body = service._runtime_versions(runtime)[str(endpoint["liveVersion"])]
    return version, qualifier


def _forwarded(headers: Mapping[str, str], version: Body) -> dict[str, str]:
    """What reaches the code: never the caller's credentials, custom headers only if the runtime lists them."""
    listed = (version.get("requestHeaderConfiguration") or {}).get("requestHeaderAllowlist") or []
    allowed = {name.lower() for name in listed}
    chosen = {name for name in headers if name in _FORWARDED or (name in allowed and _may_pass(name))}
    return {"content-type": "application/json"} | {name: headers[name] for name in chosen}


def _may_pass(name: str) -> bool:
    # The signature of the call is in this header; a runtime gets it only when it checks tokens itself.
    return name != "authorization" or name.startswith(_CUSTOM_PREFIX)


def _check_session_id(session_id: str) -> None:
    if len(session_id) not in _SESSION_LENGTH:
        raise Invalid(
            f"1 validation error detected: Value at 'runtimeSessionId' failed to satisfy constraint: Member must have "
            f"length greater than or equal to 33 and less than or equal to 256; it has {len(session_id)}"
        )


def _summary(record: Body) -> Body:
    members = (
        "agentRuntimeArn",
        "agentRuntimeId",
        "agentRuntimeVersion",
        "workloadIdentityDetails",
        "createdAt",
        "lastUpdatedAt",
    )
    return {member: record[member] for member in members}


def _json(body: Body, status: int) -> Response:
    answer: Response = json_response(body, status)
    return answer


def _error(code: str, message: str, status: int) -> Response:
    answer: Response = error_response_json(code, message, status)
    return answer
