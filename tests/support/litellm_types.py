"""Holds a `config.yaml` to LiteLLM's own types; run by the gateway's own Python, which has LiteLLM.

    python tests/support/litellm_types.py FILE...

Prints a JSON list of what LiteLLM does not know or would not take, each as "file: path: fault". LiteLLM's own
`--validate_config` passes unknown keys, and so does the proxy when it starts.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import litellm
import yaml
from litellm.caching.caching import Cache
from litellm.integrations.custom_logger import CustomLogger
from litellm.litellm_core_utils import litellm_logging
from litellm.proxy._types import ConfigGeneralSettings, ConfigYAML
from litellm.proxy.proxy_server import ProxyConfig
from litellm.types.guardrails import Guardrail, GuardrailEventHooks, LitellmParams, SupportedGuardrailIntegrations
from litellm.types.router import DeploymentTypedDict, LiteLLM_Params, LiteLLMParamsTypedDict, ModelInfo
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

# What our code inside the proxy reads; LiteLLM keeps it and looks at none of it.
OURS = {"strandline_tier": int, "simulated_model": str, "simulated_price": dict[str, float]}
_SOURCE = inspect.getsource(ProxyConfig)
_LOADED = inspect.getsource(ProxyConfig.load_config)
_INTEGRATIONS = Path(litellm.__file__).parent / "integrations"


def faults(config: dict[str, Any]) -> Iterator[str]:
    """Find what LiteLLM would not read, or not take."""
    blocks = set(ConfigYAML.model_fields) | set(re.findall(r'config\.get\("(\w+)"', _LOADED))
    yield from _unknown(config, blocks, "")
    for number, entry in enumerate(config.get("model_list", [])):
        yield from _model(entry, f"model_list[{number}]")
    hints = typing.get_type_hints(litellm.Router.__init__)
    arguments = {name: hints.get(name, Any) for name in litellm.Router.get_valid_args()}
    yield from _typed(config.get("router_settings", {}), arguments, "router_settings")
    yield from _strategy(config.get("router_settings", {}))
    yield from _litellm_settings(config.get("litellm_settings", {}))
    general = {name: field.annotation for name, field in ConfigGeneralSettings.model_fields.items()}
    yield from _typed(config.get("general_settings", {}), general, "general_settings")
    for number, entry in enumerate(config.get("guardrails", [])):
        yield from _guardrail(entry, f"guardrails[{number}]")
    for name, value in config.get("callback_settings", {}).items():
        yield from _callback(name, f"callback_settings.{name}")
        yield from _unknown(
            value, set(inspect.signature(CustomLogger.__init__).parameters), f"callback_settings.{name}"
        )
    yield from _variables(config.get("environment_variables", {}))


def _model(entry: dict[str, Any], path: str) -> Iterator[str]:
    yield from _unknown(entry, set(DeploymentTypedDict.__annotations__), path)
    completion = {
        **inspect.signature(litellm.utils.get_optional_params).parameters,
        **inspect.signature(litellm.acompletion).parameters,
    }
    params: dict[str, Any] = {
        name: Any if one.annotation is one.empty else one.annotation
        for name, one in completion.items()
        if one.kind is not one.VAR_KEYWORD
    }
    params |= typing.get_type_hints(LiteLLMParamsTypedDict)
    params |= {name: field.annotation for name, field in LiteLLM_Params.model_fields.items()}
    yield from _typed(entry["litellm_params"], params, f"{path}.litellm_params")
    info: dict[str, Any] = {name: field.annotation for name, field in ModelInfo.model_fields.items()}
    yield from _typed(entry.get("model_info", {}), info | OURS, f"{path}.model_info")
    model = entry["litellm_params"]["model"]
    if not model.startswith("strandline/"):
        try:
            litellm.get_llm_provider(model=model)
        except Exception:
            yield f"{path}.litellm_params.model: no provider for {model}"


def _strategy(settings: dict[str, Any]) -> Iterator[str]:
    groups = [
        one
        for name in ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
        for one in settings.get(name, [])
    ]
    yield from (f"router_settings: a fallback is one model with its list: {one}" for one in groups if len(one) != 1)


def _litellm_settings(settings: dict[str, Any]) -> Iterator[str]:
    named = set(re.findall(r'key == "(\w+)"', _LOADED))
    annotations = vars(litellm)["__annotations__"]
    known = {name for name in settings if hasattr(litellm, name)} | named
    yield from _unknown(settings, known, "litellm_settings")
    for name in settings.keys() & annotations.keys() - {
        "cache",
        "callbacks",
        "success_callback",
        "custom_provider_map",
    }:
        kind = annotations[name]
        kind = eval(kind, {**vars(typing), **vars(litellm)}) if isinstance(kind, str) else kind  # noqa: S307
        yield from _value(settings[name], kind, f"litellm_settings.{name}")
    for name in settings.get("callbacks", []):
        yield from _callback(name, "litellm_settings.callbacks")
    for name in settings.get("success_callback", []):
        if f'callback == "{name}"' not in inspect.getsource(litellm_logging):
            yield f"litellm_settings.success_callback: unknown callback {name!r}"
    for one in settings.get("custom_provider_map", []):
        yield from _unknown(one, {"provider", "custom_handler"}, "litellm_settings.custom_provider_map")
    cache = typing.get_type_hints(Cache.__init__)
    # Further arguments go to the client of the kind of cache.
    cache |= {"ssl": bool | str}
    yield from _typed(settings.get("cache_params", {}), cache, "litellm_settings.cache_params")


def _callback(name: str, path: str) -> Iterator[str]:
    if "." not in name and name not in litellm._known_custom_logger_compatible_callbacks:
        yield f"{path}: unknown callback {name!r}"


def _guardrail(entry: dict[str, Any], path: str) -> Iterator[str]:
    yield from _unknown(entry, set(Guardrail.__annotations__), path)
    params = entry["litellm_params"]
    fields = {name: field.annotation for name, field in LitellmParams.model_fields.items()}
    yield from _typed(params, fields, f"{path}.litellm_params")
    if params["guardrail"] not in {one.value for one in SupportedGuardrailIntegrations}:
        yield f"{path}.litellm_params.guardrail: unknown guardrail {params['guardrail']!r}"
    modes = {one.value for one in GuardrailEventHooks}
    yield from (f"{path}.litellm_params.mode: unknown mode {mode!r}" for mode in params["mode"] if mode not in modes)
    try:
        LitellmParams(**params)
    except ValidationError as error:
        yield f"{path}.litellm_params: {error}"


def _variables(variables: dict[str, str]) -> Iterator[str]:
    sources = "".join(path.read_text(encoding="utf-8") for path in _INTEGRATIONS.rglob("*.py"))
    for name in variables:
        if not name.startswith("STRANDLINE_") and f'"{name}"' not in sources:
            yield f"environment_variables.{name}: no integration of LiteLLM reads it"


def _typed(values: dict[str, Any], known: dict[str, Any], path: str) -> Iterator[str]:
    yield from _unknown(values, set(known), path)
    for name in values.keys() & known.keys():
        yield from _value(values[name], known[name], f"{path}.{name}")


def _unknown(values: dict[str, Any], known: set[str], path: str) -> Iterator[str]:
    yield from (f"{path}: unknown key {name!r}".removeprefix(": ") for name in values if name not in known)


def _value(value: Any, kind: Any, path: str) -> Iterator[str]:
    if isinstance(value, str) and value.startswith("os.environ/"):
        # A text when LiteLLM has read it; where it wants a number it takes the digits of a text.
        return
    models = [one for one in _parts(kind) if isinstance(one, type) and issubclass(one, BaseModel)]
    if isinstance(value, dict) and models:
        # Most of LiteLLM's models take unknown keys in silence.
        fields = {name: field.annotation for model in models for name, field in model.model_fields.items()}
        yield from _typed(value, fields, path)
        return
    config = None if _configured(kind) else ConfigDict(arbitrary_types_allowed=True)
    try:
        TypeAdapter(kind, config=config).validate_python(value)
    except ValidationError as error:
        yield f"{path}: {error.errors()[0]['msg']}"


def _configured(kind: Any) -> bool:
    return isinstance(kind, type) and (issubclass(kind, BaseModel) or typing.is_typeddict(kind))


def _parts(kind: Any) -> tuple[Any, ...]:
    return typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else (kind,)


if __name__ == "__main__":
    found = [
        f"{Path(name).name}: {one}" for name in sys.argv[1:] for one in faults(yaml.safe_load(Path(name).read_text()))
    ]
    # LiteLLM prints as it likes.
    print("\n" + json.dumps(found))
