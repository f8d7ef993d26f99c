"""Two ways to a gateway with a new provider's key, measured under load: `python -m benchmarks.reload`.

Either new tasks take the place of those that have the old key in their environment, which is what a rotation does here;
or the key stands in LiteLLM's database, and running tasks read it again ("Credentials", LiteLLM; `store_model_in_db`).
Two real proxies share one PostgreSQL, and the provider counts by key.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import yaml

from benchmarks.table import Report
from tests.support.drill import RATE, Answered, Load
from tests.support.litellm_proxy import MASTER_KEY, litellm_proxy
from tests.support.managed_proxy import database_variables
from tests.support.openai_server import OpenAIServer, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL, CREDENTIAL = "bench", "provider"
OLD, NEW = "sk-before-the-reload", "sk-after-the-reload"
PROCESSES = 2
CALM_SECONDS = 12.0
AFTER_SECONDS = 45.0
"""Running proxies look into the database again and again; in less than half of this time so far."""
DRAIN_SECONDS = 5.0
PATIENCE_SECONDS = 120.0
PACED = Reply(delay=0.5, pause=0.06)
_QUESTION = {"model": MODEL, "messages": [{"role": "user", "content": "When does the tide turn?"}]}
_HEADERS = {"Authorization": f"Bearer {MASTER_KEY}"}
_COLUMNS = {
    "kind": "way",
    "requests": "requests",
    "failed": "failed",
    "seconds_until_everywhere": "old key used for, s",
    "p99_calm_ms": "p99 calm, ms",
    "p99_rotating_ms": "p99 reloading, ms",
    "value_lies_in": "where the value lies",
}


class ProxyLoad(Load):
    """The drill's load, on proxies: every other request is a stream."""

    async def _ask(self, client: httpx.AsyncClient, number: int) -> None:
        is_stream = number % 2 == 0
        url, begun = self.urls[number % len(self.urls)], time.monotonic()
        try:
            body = {**_QUESTION, "stream": is_stream}
            answer = await client.post(f"{url}/v1/chat/completions", json=body, headers=_HEADERS)
            is_whole = answer.status_code == 200 and (not is_stream or answer.text.rstrip().endswith("[DONE]"))
            fault = "" if is_whole else f"{answer.status_code}: {answer.text[-300:]}"
        except httpx.HTTPError as error:
            fault = repr(error)
        self.answers.append(Answered(begun, time.monotonic() - begun, fault))


class Gateway:
    """Proxies with one database.

    Args:
        folder: For their configurations and logs.
        provider: Address of the provider.
        with_credential: Whether the key is to be in the database.
    """

    def __init__(self, folder: Path, provider: str, *, with_credential: bool) -> None:
        self._folder = folder
        self._variables = database_variables()
        key = {"litellm_credential_name": CREDENTIAL} if with_credential else {"api_key": "os.environ/PROVIDER_KEY"}
        params = {"model": "openai/gpt-4.1-mini", "api_base": provider, **key}
        self._config = yaml.safe_dump(
            {
                "model_list": [{"model_name": MODEL, "litellm_params": params}],
                "general_settings": {
                    "master_key": "os.environ/LITELLM_MASTER_KEY",
                    "store_model_in_db": with_credential,
                },
            }
        )

    def start(self, stack: ExitStack, name: str, key: str) -> str:
        """Starts a proxy with a provider's key in its environment; gives its address."""
        folder = self._folder / name
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(self._config)
        url, _ = stack.enter_context(litellm_proxy(folder / "config.yaml", **self._variables, PROVIDER_KEY=key))
        return url


def by_new_tasks(folder: Path, provider: OpenAIServer) -> dict[str, Any]:
    """New proxies take over one by one; an old one ends when the new one has its callers."""
    gateway = Gateway(folder, provider.base_url, with_credential=False)
    with ExitStack() as new:
        running = [ExitStack() for _ in range(PROCESSES)]
        urls = [gateway.start(stack, f"old{number}", OLD) for number, stack in enumerate(running)]

        def reload() -> None:
            for number, stack in enumerate(running):
                urls[number] = gateway.start(new, f"new{number}", NEW)
                # As the load balancer does: what is on its way is answered before the task is told to end.
                time.sleep(DRAIN_SECONDS)
                stack.close()

        return measure("new tasks", urls, provider, reload, "Secrets Manager; environment of the tasks")


def by_database(folder: Path, provider: OpenAIServer) -> dict[str, Any]:
    """The credential is changed by one call to one proxy; the other one finds it in the database."""
    gateway = Gateway(folder, provider.base_url, with_credential=True)
    with ExitStack() as stack:
        urls = [gateway.start(stack, f"proxy{number}", "") for number in range(PROCESSES)]
        credential = {"credential_name": CREDENTIAL, "credential_values": {"api_key": OLD}, "credential_info": {}}
        _call("POST", f"{urls[0]}/credentials", credential)
        _await_key(urls, provider)

        def reload() -> None:
            _call("PATCH", f"{urls[0]}/credentials/{CREDENTIAL}", {**credential, "credential_values": {"api_key": NEW}})

        where = "Secrets Manager; LiteLLM's database, under the salt key; memory of the tasks"
        return measure("LiteLLM's database", urls, provider, reload, where)


def measure(
    way: str, urls: list[str], provider: OpenAIServer, reload: Callable[[], None], where: str
) -> dict[str, Any]:
    """Reloads under load.

    Args:
        way: What it is called in the table.
        urls: The proxies that are asked.
        provider: Who counts by key.
        reload: Brings the new key.
        where: Where the value lies then.

    Returns:
        The row.
    """
    with ProxyLoad(urls) as load:
        load.calm(CALM_SECONDS)
        begun = time.monotonic()
        reload()
        time.sleep(AFTER_SECONDS)
    for fault in load.faults:
        print(f"{way}: {fault}", file=sys.stderr)
    last = max((request.arrived for request in provider.requests if request.key == OLD), default=begun)
    assert any(request.key == NEW for request in provider.requests)
    row = load.row(way, seconds_until_everywhere=max(0.0, last - begun), old_key_uses_after=0)
    return {key: row[key] for key in _COLUMNS if key in row} | {"value_lies_in": where}


def _call(method: str, url: str, body: object) -> None:
    httpx.request(method, url, json=body, headers=_HEADERS, timeout=PATIENCE_SECONDS).raise_for_status()


def _await_key(urls: list[str], provider: OpenAIServer) -> None:
    """Waits until every proxy has read the credential; until then it asks the provider with no key."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    waiting = list(urls)
    while waiting:
        assert time.monotonic() < deadline, "a proxy does not find the credential"
        httpx.post(f"{waiting[0]}/v1/chat/completions", json=_QUESTION, headers=_HEADERS, timeout=60)
        if provider.requests and provider.requests[-1].key == OLD:
            waiting.pop(0)
        else:
            time.sleep(1)


def main() -> None:
    """Measures both ways, and publishes the table."""
    report = Report("reload", f"A provider's new key in {PROCESSES} proxies, under {RATE} requests a second", _COLUMNS)
    for way in (by_new_tasks, by_database):
        with tempfile.TemporaryDirectory(prefix="strandline-reload-") as name, OpenAIServer(PACED) as provider:
            report.rows.append(way(Path(name), provider))
    report.publish()


if __name__ == "__main__":
    main()
