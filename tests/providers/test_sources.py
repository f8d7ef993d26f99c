"""How each provider's model is built: what is imported, what must be there, and how keys are rotated under it."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import threading
from importlib import metadata

import httpx
import pytest

from agent_runtime.errors import EnvironmentFault
from agent_runtime.providers import packages
from agent_runtime.secret_store import CACHE_SECONDS
from tests.providers.conftest import KEY, OTHER_KEY, Seen, ask, close
from tests.providers.parity import user
from tests.support.openai_server import Reply

pytestmark = pytest.mark.filterwarnings("ignore")

_PACKAGES = {"anthropic", "boto3", "google.genai", "litellm", "openai"}
# What each way may import of them. botocore comes with the secrets, and boto3 with Strands' own package.
_MAY_IMPORT = {
    "bedrock": {"boto3"},
    "anthropic": {"boto3", "anthropic"},
    "vertex": {"boto3", "google.genai"},
    "openai": {"boto3"},
    "light": {"boto3"},
    "litellm": {"boto3", "openai", "litellm"},
    "named": {"boto3", "openai", "litellm"},
}
_BUILD = """
import json, sys, warnings
warnings.simplefilter("ignore")
from agent_runtime.blueprint import Blueprint
from agent_runtime.providers import build_model_source
from agent_runtime.secret_store import SecretStore
from agent_runtime.settings import RuntimeSettings
before = sorted(sys.modules)
def refuse():
    raise AssertionError("a secret was read at start")
settings = RuntimeSettings("test", "simulation", "s3://b/0.json", "p/", None, None, "127.0.0.1", 1)
secrets = SecretStore(prefix="p/", environment="test", client_factory=refuse)
build_model_source(Blueprint.model_validate(json.loads(sys.argv[1])), settings, secrets)
print(json.dumps([before, sorted(sys.modules)]))
"""


@pytest.mark.parametrize("way", _MAY_IMPORT)
def test_only_the_chosen_providers_packages_are_imported(house, way):
    plan = {"id": "a", "name": "A", "version": "1.0.0", "prompt_ref": "a", "model": house.base(way)}
    done = subprocess.run(
        [sys.executable, "-c", _BUILD, json.dumps(plan)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    before, after = json.loads(done.stdout.splitlines()[-1])

    assert _PACKAGES & set(before) == set()
    assert _PACKAGES & set(after) == _MAY_IMPORT[way]
    assert house.api.requests == house.openai.requests == []


@pytest.mark.parametrize(
    ("way", "package", "dependency_set"),
    [("anthropic", "anthropic", "anthropic"), ("vertex", "google", "vertex"), ("named", "litellm", "litellm")],
)
def test_missing_package_is_told_with_what_to_install(house, monkeypatch, way, package, dependency_set):
    for name in list(sys.modules):
        if name.partition(".")[0] == package or name.startswith(("agent_runtime.providers.", "strands.models.")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Absent(package), *sys.meta_path])

    with pytest.raises(EnvironmentFault, match=f"{package}.*requirements/{dependency_set}.lock.*pip install"):
        house.source(house.blueprint(way))


@pytest.mark.parametrize("way", ["light", "litellm"])
def test_stream_that_is_left_is_closed_at_once_and_not_by_the_collector(house, way):
    house.openai.script("tide", Reply(text="The tide turns twice a day", stop_after=4))

    async def leave() -> None:
        source = house.source(house.blueprint(way))
        model = await source.current()
        events = model.stream([user("When?")], None, "You know the tides.")
        async for event in events:
            if "contentBlockDelta" in event:
                break
        await events.aclose()
        assert await asyncio.to_thread(house.openai.requests[-1].gone.wait, 30)
        await close(source)

    gc.disable()
    try:
        asyncio.run(leave())
    finally:
        gc.enable()


class _Absent:
    """An import system without one package."""

    def __init__(self, package):
        self._package = package

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == self._package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("1.82.7", "malware.*CVE-2026-33634"),
        ("1.82.8", "malware.*CVE-2026-33634"),
        ("1.83.14", "before 1.84.0.*CVE-2026-49468"),
        ("1.84.0", None),
        ("1.84.0rc1", None),
        ("2.0.0", None),
        ("0.9", "before 1.84.0"),
    ],
)
@pytest.mark.parametrize("way", ["bedrock", "light", "named"])
def test_bad_version_of_litellm_ends_the_start(house, monkeypatch, way, version, words):
    real = metadata.version
    monkeypatch.setattr(packages.metadata, "version", lambda name: version if name == "litellm" else real(name))

    if words is None:
        house.source(house.blueprint(way))
        return
    with pytest.raises(EnvironmentFault, match=words) as told:
        house.source(house.blueprint(way))
    assert f"litellm {version} is installed" in str(told.value)


def test_an_artefact_without_litellm_starts(house, monkeypatch):
    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(packages.metadata, "version", absent)

    house.source(house.blueprint("light"))


@pytest.mark.parametrize("way", ["anthropic", "vertex", "openai", "litellm", "named"])
def test_rotated_key_is_used_by_the_next_call_of_the_same_model(house, way):
    plan = house.blueprint(way)
    source = house.source(plan)

    async def run():
        seen = [Seen(), Seen(), Seen()]
        await _ask(plan, source, seen[0])
        house.manager.put("MODEL_KEY", OTHER_KEY)
        await _ask(plan, source, seen[1])
        house.now += CACHE_SECONDS
        await _ask(plan, source, seen[2])
        await close(source)
        return seen

    assert [seen.text for seen in asyncio.run(run())] == ["High water at six."] * 3
    assert _keys(house) == [KEY, KEY, OTHER_KEY]


@pytest.mark.parametrize("way", ["anthropic", "vertex", "openai", "litellm"])
def test_refused_key_is_read_again_and_the_call_made_once_more(house, way):
    house.api.keys = (OTHER_KEY,)
    plan = house.blueprint(way, {"num_retries": 0})
    source = house.source(plan)

    async def run():
        first, second = Seen(), Seen()
        house.openai.accept_only(KEY)
        house.api.keys = (KEY,)
        await _ask(plan, source, first)
        # The key is changed at the provider and in Secrets Manager; the cache still has the old one.
        house.openai.accept_only(OTHER_KEY)
        house.api.keys = (OTHER_KEY,)
        house.manager.put("MODEL_KEY", OTHER_KEY)
        await _ask(plan, source, second)
        await close(source)
        return first, second

    first, second = asyncio.run(run())

    assert (first.error, second.error) == (None, None)
    assert second.text == "High water at six."
    assert _keys(house) == [KEY, KEY, OTHER_KEY]


@pytest.mark.parametrize("way", ["anthropic", "openai", "litellm", "named"])
def test_key_that_stays_refused_is_told_by_its_secrets_name(house, way):
    house.api.keys = ("another",)
    house.openai.accept_only("another")

    seen = house.see(way, {"num_retries": 0})

    assert type(seen.error).__name__ == "KeyRefusedError"
    assert "strandline/test/MODEL_KEY" in str(seen.error)
    assert KEY not in str(seen.error)
    assert len(seen.requests) == 1


@pytest.mark.parametrize("way", ["anthropic", "openai"])
def test_replaced_client_is_closed_after_its_last_request(house, way):
    release = threading.Event()
    house.openai.script("gpt-4o", Reply(stop_after=2, until=release), Reply())
    plan = house.blueprint(way)
    source = house.source(plan)
    clients = source.client.clients if way == "openai" else source.model.clients

    async def run():
        async with clients.lease() as lease:
            house.manager.put("MODEL_KEY", OTHER_KEY)
            house.now += CACHE_SECONDS
            async with clients.lease() as newer:
                kept = newer is not lease and not _is_closed(lease.client)
        closed = _is_closed(lease.client) and not _is_closed(newer.client)
        await close(source)
        return kept, closed, _is_closed(newer.client)

    assert asyncio.run(run()) == (True, True, True)


def _is_closed(client):
    return client.is_closed if isinstance(client, httpx.AsyncClient) else client.is_closed()


def test_service_account_of_vertex_gets_tokens_and_calls_its_project(house, account):
    house.manager.put("MODEL_KEY", account(house.api.url))

    seen = house.see("vertex")

    path, headers, _ = seen.requests[0]
    assert (seen.text, house.api.tokens) == ("High water at six.", 1)
    assert headers["authorization"] == "Bearer t-1"
    assert "/projects/tide-project/locations/global/publishers/google/models/gemini-2.5-pro" in path


def test_project_and_location_of_vertex_can_be_said(house, account, monkeypatch):
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "other-project")
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "europe-west4")
    house.manager.put("MODEL_KEY", account(house.api.url))

    assert "/projects/other-project/locations/europe-west4/" in house.see("vertex").requests[0][0]


@pytest.mark.parametrize("text", ['{"type": "service_account"}', "{not json"])
def test_what_is_no_service_account_is_told_by_its_secrets_name(house, text):
    house.manager.put("MODEL_KEY", text)

    seen = house.see("vertex")

    assert "Secret strandline/test/MODEL_KEY holds no JSON of a service account" in str(seen.error)
    assert seen.requests == []


@pytest.mark.parametrize("way", ["anthropic", "vertex", "openai", "light", "litellm", "named"])
def test_who_answered_is_told(house, way):
    house.openai.default = Reply(model="answering-model-1")

    assert house.see(way).told.model == "answering-model-1"


def test_litellms_headers_are_told_without_an_address_too(house):
    house.openai.default = Reply(headers={"x-litellm-model-name": "real/m", "x-litellm-response-cost": "0.5"})
    changes = {"model_id": "litellm_proxy/tide"}

    seen = house.see("named", changes | {"stream": False})
    streamed = house.see("named", changes)

    assert (seen.told.model, seen.told.cost_usd, streamed.told.model) == ("real/m", 0.5, "real/m")


@pytest.mark.parametrize(
    "changes", [{"model_id": "litellm_proxy/tide"}, {"model_id": "tide", "params": {"use_litellm_proxy": True}}]
)
def test_both_forms_of_a_litellm_proxy_ask_it_for_the_model(house, changes):
    _, headers, body = house.see("named", changes).requests[0]

    assert (body["model"], headers["authorization"]) == ("tide", f"Bearer {KEY}")
    assert "use_litellm_proxy" not in body


def test_openais_own_models_are_given_the_new_name_of_max_tokens(house):
    source = house.source(house.blueprint("openai", {"base_url": None}))

    assert source.client.base_url == "https://api.openai.com/v1"
    assert source.model.get_config()["params"] == {"temperature": 1, "max_completion_tokens": 8000}


def test_profile_of_another_region_is_called_there(house):
    arn = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/abc123"
    model = asyncio.run(house.source(house.blueprint("bedrock", {"model_id": arn})).current())

    assert model.client.meta.region_name == "us-west-2"


def test_bedrocks_client_is_made_once_by_the_first_request_and_off_the_loop(house, monkeypatch):
    from agent_runtime.providers import bedrock

    made_by = []
    real = bedrock._CleanBedrockModel

    def build_in_sight(**arguments):
        made_by.append(threading.current_thread())
        return real(**arguments)

    monkeypatch.setattr(bedrock, "_CleanBedrockModel", build_in_sight)
    source = house.source(house.blueprint("bedrock"))

    async def run():
        return await asyncio.gather(*(source.current() for _ in range(8)))

    models = asyncio.run(run())

    assert len({id(model) for model in models}) == len(made_by) == 1
    assert made_by[0] is not threading.main_thread()


@pytest.mark.parametrize(("changes", "key_env"), [({}, "GATEWAY_KEY"), ({"api_key_env": "MODEL_KEY"}, "MODEL_KEY")])
def test_agent_of_the_gateway_uses_its_address_and_the_agents_key_first(house, changes, key_env):
    from agent_runtime.providers.endpoint import EndpointModel
    from agent_runtime.settings import RuntimeSettings

    plan = house.blueprint("light", {"base_url": "gateway", "api_key_env": None, **changes})
    settings = RuntimeSettings(
        "t", "simulation", "s3://b/0.json", "p/", "http://gw:4000/", "GATEWAY_KEY", "127.0.0.1", 1
    )
    client = EndpointModel(plan, settings, house.secrets()).client

    assert (client.base_url, client.clients.reader.key_name) == ("http://gw:4000/v1", f"strandline/test/{key_env}")


def test_gateways_key_goes_to_no_other_endpoint_and_the_gateway_needs_an_address(house):
    from agent_runtime.providers.endpoint import EndpointModel
    from agent_runtime.settings import RuntimeSettings

    settings = RuntimeSettings("t", "simulation", "s3://b/0.json", "p/", None, "GATEWAY_KEY", "127.0.0.1", 1)
    elsewhere = house.blueprint("light", {"api_key_env": None})

    assert EndpointModel(elsewhere, settings, house.secrets()).client.clients.reader.key_name is None
    with pytest.raises(EnvironmentFault, match="STRANDLINE_GATEWAY_URL"):
        EndpointModel(house.blueprint("light", {"base_url": "gateway"}), settings, house.secrets())


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "CallRefusedError"),
        (401, "KeyRefusedError"),
        (403, "KeyRefusedError"),
        (429, "ModelThrottledException"),
        (500, "CallRefusedError"),
    ],
)
@pytest.mark.parametrize("way", ["anthropic", "vertex", "named"])
def test_refusals_are_of_our_kinds_and_quote_no_key(house, way, status, kind):
    house.api.status = status

    seen = house.see(way, {"num_retries": 0})

    assert type(seen.error).__name__ == kind
    assert KEY not in str(seen.error)


async def _ask(plan, source, seen):
    """Asks without closing anything."""

    class Kept:
        async def current(self):
            return await source.current()

    await ask(plan, Kept(), seen)


def _keys(house):
    keys = [request.headers.get("x-api-key") or request.headers.get("x-goog-api-key") for request in house.api.requests]
    return keys + [request.key for request in house.openai.requests]
