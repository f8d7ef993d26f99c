# mypy: disable-error-code="import-not-found"

"""Each load balancer has a loopback address, which is its DNS name, and listens there at its listeners' ports."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack import app as ministack
from ministack.core.responses import StreamingResponse, request_scope
from ministack.services import alb

from .. import relay
from .targets import port_of

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from ..addresses import AddressBook

logger = logging.getLogger("strandline.balancer")

_RECONCILE_SECONDS = 0.1
_DEFAULT_DRAIN_SECONDS = 300.0
_POLL_SECONDS = 0.05

Endpoint = tuple[str, int]


class Balancers:
    """The addresses, the servers on them, and the requests in flight to each target."""

    def __init__(self, addresses: AddressBook) -> None:
        self._addresses = addresses
        self._servers: dict[Endpoint, tuple[asyncio.Task[None], asyncio.Event]] = {}
        self._in_flight: Counter[str] = Counter()
        self._lock = threading.Lock()

    def install(self) -> None:
        """Give new load balancers an address, and carry requests to targets ourselves."""
        create = alb._ACTION_MAP["CreateLoadBalancer"]

        def create_lb(params: Any) -> Any:
            before = set(alb._lbs)
            answer = create(params)
            made = [alb._lbs[arn] for arn in alb._lbs if arn not in before]
            for record in made:
                name = record["DNSName"]
                self.give_address(record)
                status, headers, body = answer
                answer = (status, headers, body.replace(name.encode(), record["DNSName"].encode()))
            return answer

        alb._ACTION_MAP["CreateLoadBalancer"] = create_lb
        alb._proxy_http_target = self._carry

    def give_address(self, record: dict[str, Any]) -> str:
        """An address of its own for a load balancer, as its DNS name."""
        address = self._addresses.for_balancer()
        record["DNSName"] = address
        return address

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to listen where listeners are, and to stop where they are gone."""
        loop.create_task(self._reconcile())

    def drain(self, task_arn: str, address: str) -> None:
        """Wait until nothing is in flight to a target that was deregistered, at most for its group's delay."""
        deadline = time.monotonic() + _drain_seconds(task_arn)
        while time.monotonic() < deadline:
            with self._lock:
                if not self._in_flight[address]:
                    return
            time.sleep(_POLL_SECONDS)

    async def _carry(
        self,
        target: dict[str, Any],
        group: dict[str, Any],
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        _query: Any,
        raw_query: str = "",
    ) -> tuple[int, dict[str, Any], Any]:
        """Send a request to a target; MiniStack has two threads for each, and one more for each piece of the answer."""
        address, port = str(target["Id"]), port_of(target, group)
        with self._lock:
            self._in_flight[address] += 1
        try:
            upstream = await relay.open_upstream(
                (address, port),
                method,
                f"{path}?{raw_query}" if raw_query else path,
                body if body or "content-length" in headers else None,
                headers,
                alb.TARGET_IDLE_TIMEOUT,
            )
        except BaseException as fault:
            self._done(address)
            if isinstance(fault, relay.Unreachable):
                return _unreachable(fault)
            raise

        async def run(send: relay.Send, receive: relay.Receive) -> None:
            try:
                await relay.stream(upstream, send, receive)
            finally:
                self._done(address)

        return upstream.status, _returned(upstream.headers), StreamingResponse(run)

    def _done(self, address: str) -> None:
        with self._lock:
            self._in_flight[address] -= 1

    async def _reconcile(self) -> None:
        while True:
            wanted = dict(self._wanted())
            for endpoint in [known for known in self._servers if known not in wanted]:
                self._servers.pop(endpoint)[1].set()
            for endpoint, scope in wanted.items():
                if endpoint not in self._servers:
                    self._servers[endpoint] = self._listen(endpoint, scope)
            await asyncio.sleep(_RECONCILE_SECONDS)

    def _wanted(self) -> list[tuple[Endpoint, tuple[str, str, str]]]:
        """Address and port of every listener, with account, region and load balancer."""
        wanted = []
        for (account, region, _), listener in list(alb._listeners.all_items()):
            balancer = alb._lbs.get_scoped(account, region, listener["LoadBalancerArn"])
            if balancer and self._addresses.claim(balancer["DNSName"]):
                endpoint = (balancer["DNSName"], int(listener.get("Port", 80)))
                wanted.append((endpoint, (account, region, balancer["LoadBalancerArn"])))
        return wanted

    def _listen(self, endpoint: Endpoint, scope: tuple[str, str, str]) -> tuple[asyncio.Task[None], asyncio.Event]:
        stop = asyncio.Event()
        config = Config()
        config.bind = [f"{endpoint[0]}:{endpoint[1]}"]
        config.loglevel = "ERROR"
        config.graceful_timeout = 1.0
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(
            _serve(_application(endpoint[1], scope), config, stop)
        )
        logger.info("address=<%s>, port=<%s> | listening", *endpoint)
        return task, stop


def _unreachable(fault: relay.Unreachable) -> tuple[int, dict[str, Any], bytes]:
    """As a balancer tells of it ("Troubleshoot your Application Load Balancers", Elastic Load Balancing)."""
    status, title = (504, "Gateway Time-out") if fault.timed_out else (502, "Bad Gateway")
    return status, {"Content-Type": "text/html"}, f"<html><h1>{status} {title}</h1></html>".encode()


def _returned(headers: list[tuple[str, str]]) -> dict[str, Any]:
    """What a client gets of a target's headers: a repeated one is a list; the listener's server dates the answer."""
    returned: dict[str, Any] = {}
    for name, value in headers:
        if name == "content-length" or name not in {*relay.HOP_BY_HOP, "date"}:
            returned.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in returned.items()}


async def _serve(application: Any, config: Config, stop: asyncio.Event) -> None:
    try:
        await serve(application, config, shutdown_trigger=stop.wait)
    except OSError as fault:
        logger.error("address=<%s>, reason=<%s> | a listener cannot listen", config.bind[0], fault.strerror)


def _application(port: int, scope_of: tuple[str, str, str]) -> Callable[..., Any]:
    """A listener's application: MiniStack's rules and targets, at the listener's own port."""
    account, region, arn = scope_of

    async def application(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
            body = await _body(receive)
            raw_query = scope.get("query_string", b"").decode("latin-1")
            with request_scope(account, region):
                answer = await alb.dispatch_request(
                    alb._lbs[arn],
                    scope["method"],
                    scope["path"],
                    headers,
                    body,
                    parse_qs(raw_query, keep_blank_values=True),
                    port,
                    client_ip=(scope.get("client") or ("127.0.0.1",))[0],
                    raw_query_string=raw_query,
                    raw_path=scope.get("raw_path", scope["path"].encode()).decode("latin-1").split("?", 1)[0],
                )
            await ministack._send_if_handled(send, answer, receive, head=scope["method"] == "HEAD")

    return application


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


async def _body(receive: Any) -> bytes:
    pieces = []
    while True:
        message = await receive()
        pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(pieces)


def _drain_seconds(task_arn: str) -> float:
    """The longest deregistration delay of the groups that the task's service is in."""
    from ministack.services import ecs

    delays = [0.0]
    tasks: list[dict[str, Any]] = [task for _, task in ecs._tasks.all_items() if task.get("taskArn") == task_arn]
    task = tasks[0] if tasks else {}
    for _, service in ecs._services.all_items():
        if task.get("group") == f"service:{service.get('serviceName')}" and task.get("clusterArn") == service.get(
            "clusterArn"
        ):
            groups = [balancer.get("targetGroupArn") for balancer in service.get("loadBalancers") or []]
            delays += [_delay(group) for group in groups if group]
    return max(delays)


def _delay(group_arn: str) -> float:
    fields = group_arn.split(":")
    attributes = alb._tg_attrs.get_scoped(fields[4], fields[3], group_arn) or []
    with contextlib.suppress(ValueError, StopIteration):
        return float(
            next(item["Value"] for item in attributes if item["Key"] == "deregistration_delay.timeout_seconds")
        )
    return _DEFAULT_DRAIN_SECONDS
