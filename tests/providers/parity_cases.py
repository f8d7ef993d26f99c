"""The conversations that both ways to an endpoint must hold alike."""

from __future__ import annotations

from tests.providers.parity import CLOCK, LOOKUP, Case, assistant, document, image, tool, tool_result, tool_use, user
from tests.support.openai_server import Reply, ToolCall

_CACHE = {"cachePoint": {"type": "default"}}
_NESTED = tool(
    "search",
    {
        "where": {"type": "array", "items": {"type": "object", "properties": {"page": {"type": "integer"}}}},
        "either": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "link": {"$ref": "#/$defs/link"},
    },
    **{"$defs": {"link": {"type": "object", "properties": {"to": {"type": "string", "format": "uri"}}}}},
)
_ANSWER = tool("Answer", {"text": {"type": "string"}, "score": {"type": "number", "minimum": 0}}, required=["text"])
_CALLED = (user("Look tide up."), assistant("Let me look.", tool_use(word="tide")))
_LOOKUP_CALL = ToolCall("lookup", {"word": "tide", "mode": "short"})
_KEPT_BACK = "LiteLLM keeps metadata for its own log and does not send it"
_GUARDED = "LiteLLM refuses it for this model's name before anything is sent"
_NOT_IN_FORMAT = "Strands' LiteLLM model has no such setting"
_MARKED = "Strands' LiteLLM model marks no tools for the cache"


def _about(name: str, *results: object, status: str = "success") -> Case:
    return Case(name, (*_CALLED, user(tool_result(*results, status=status))), tools=(LOOKUP,))


def _params(name: str, published: str = "", **params: object) -> Case:
    return Case(f"parameter {name}", model={"params": params}, published=published)


PLAIN = [
    Case("plain"),
    Case("plain, not streamed", model={"stream": False}),
    Case("no system prompt", system=None),
    Case(
        "unicode",
        (user("¿Qué hora es? 潮汐 🌊 \u2028 é\u0301"),),
        Reply(text="潮汐 🌊 ünïcode"),
        system="Ja, tüchtig: 日本語",
    ),
    Case("unicode, not streamed", (user("潮 🌊"),), Reply(text="🌊 潮"), model={"stream": False}),
    Case("quotes and backslashes", (user('He said "C:\\tides\\n" and {left}'),)),
    Case("several blocks in a message", (user("One", "Two", "Three"),)),
    Case("long conversation", tuple(part for n in range(40) for part in (user(f"Q{n}"), assistant(f"A{n}")))[:-1]),
    Case("long text", (user("tide " * 20_000),), Reply(text="word " * 500)),
    Case("empty text in the answer", reply=Reply(text="")),
]
TOOLS = [
    Case("one tool", tools=(LOOKUP,)),
    Case("two tools", tools=(LOOKUP, CLOCK)),
    Case("nested schema", tools=(_NESTED,)),
    Case(
        "schema with a pattern of another language",
        tools=(tool("search", {"name": {"type": "string", "pattern": "(?<initial>\\p{L})"}}),),
        published="LiteLLM takes patterns that Python cannot compile out of the schema",
    ),
    Case("tool choice auto", tools=(LOOKUP,), tool_choice={"auto": {}}),
    Case("tool choice any", tools=(LOOKUP, CLOCK), tool_choice={"any": {}}),
    Case("tool choice by name", tools=(LOOKUP, CLOCK), tool_choice={"tool": {"name": "clock"}}),
    Case("tool call", reply=Reply(text="", tool_calls=(_LOOKUP_CALL,)), tools=(LOOKUP,)),
    Case(
        "tool call, not streamed",
        reply=Reply(text="", tool_calls=(_LOOKUP_CALL,)),
        tools=(LOOKUP,),
        model={"stream": False},
    ),
    Case("text and tool call", reply=Reply(text="Let me see.", tool_calls=(_LOOKUP_CALL,)), tools=(LOOKUP,)),
    Case(
        "two tool calls",
        reply=Reply(text="", tool_calls=(_LOOKUP_CALL, ToolCall("clock", {}, "call_2"))),
        tools=(LOOKUP, CLOCK),
    ),
    Case(
        "two tool calls, not streamed",
        reply=Reply(text="", tool_calls=(_LOOKUP_CALL, ToolCall("clock", {}, "call_2"))),
        tools=(LOOKUP, CLOCK),
        model={"stream": False},
    ),
    _about("tool result text", "Tide: rise and fall of the sea."),
    _about("tool result json", {"json": {"word": "tide", "pages": [1, 2], "deep": {"é": None}}}),
    _about("tool result image", image()),
    _about("tool result text and image", "Here it is.", image()),
    _about("tool result error", "No such word.", status="error"),
    _about("tool result of two blocks", "One", "Two"),
    Case(
        "two tool results",
        (
            user("Go"),
            assistant(tool_use(word="a"), tool_use("call_2", "clock")),
            user(tool_result("A"), tool_result("B", identity="call_2")),
        ),
        tools=(LOOKUP, CLOCK),
    ),
    Case(
        "tool call without text in the history",
        (user("Go"), assistant(tool_use(word="a")), user(tool_result("A"))),
        tools=(LOOKUP,),
    ),
    Case("tool cache point", tools=(LOOKUP, CLOCK), model={"cache_tools": "default"}, published=_MARKED),
    Case("tool cache point without tools", model={"cache_tools": "default"}),
]
STRUCTURED = [
    Case(
        "structured output",
        reply=Reply(text="", tool_calls=(ToolCall("Answer", {"text": "six", "score": 0.5}),)),
        tools=(_ANSWER,),
        tool_choice={"tool": {"name": "Answer"}},
    ),
    Case(
        "structured output, not streamed",
        reply=Reply(text="", tool_calls=(ToolCall("Answer", {"text": "six"}),)),
        tools=(_ANSWER,),
        tool_choice={"any": {}},
        model={"stream": False},
    ),
]
CONTENT = [
    Case("image png", (user("What is this?", image()),)),
    Case("image jpeg", (user("What is this?", image("jpeg")),)),
    Case("image first, twice", (user(image("png"), image("gif"), "Compare."),)),
    Case("document pdf", (user("Sum it up.", document()),)),
    Case("document txt", (user("Sum it up.", document("txt")),)),
    Case("reasoning in the answer", reply=Reply(text="Six.", reasoning="The moon pulls.")),
    Case(
        "reasoning in the answer, not streamed",
        reply=Reply(text="Six.", reasoning="The moon pulls."),
        model={"stream": False},
    ),
    Case(
        "reasoning and tool call",
        reply=Reply(text="", reasoning="I need it.", tool_calls=(_LOOKUP_CALL,)),
        tools=(LOOKUP,),
    ),
    Case(
        "reasoning in the history",
        (
            user("When?"),
            assistant({"reasoningContent": {"reasoningText": {"text": "Moon.", "signature": "sig"}}}, {"text": "Six."}),
            user("Sure?"),
        ),
    ),
]
SYSTEM = [
    Case("system prompt of two blocks", system=[{"text": "One."}, {"text": "Two."}]),
    Case("cache_prompt", model={"cache_prompt": "default"}),
    Case("cache point in the middle", system=[{"text": "Kept."}, _CACHE, {"text": "New each time."}]),
    Case("cache point with ttl", system=[{"text": "Kept."}, {"cachePoint": {"type": "default", "ttl": "1h"}}]),
    Case("two cache points", system=[{"text": "A."}, _CACHE, {"text": "B."}, _CACHE]),
    Case("cache point first", system=[_CACHE, {"text": "A."}]),
    Case("cache key", model={"cache_prompt": "tides"}, published=_NOT_IN_FORMAT),
]
ENDS = [
    Case("stopped at the length", reply=Reply(finish_reason="length")),
    Case("stopped by a filter", reply=Reply(finish_reason="content_filter")),
    Case("stopped at the length, not streamed", reply=Reply(finish_reason="length"), model={"stream": False}),
    Case("cost in the usage", reply=Reply(cost=0.25)),
    Case("cost in the usage, not streamed", reply=Reply(cost=0.25), model={"stream": False}),
    Case(
        "LiteLLM's headers",
        reply=Reply(headers={"x-litellm-model-name": "real/model", "x-litellm-response-cost": "0.5"}),
    ),
    Case("another model answers", reply=Reply(model="gpt-5-mini-2026-01-01")),
]
ENDS += [
    Case("no usage", reply=Reply(usage=False)),
    Case("no usage, not streamed", reply=Reply(usage=False), model={"stream": False}),
    Case("stopped for an unknown reason", reply=Reply(finish_reason="recitation")),
]
ERRORS = [
    *(
        Case(f"status {status}", reply=Reply(status=status))
        for status in (400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504)
    ),
    *(
        Case(f"status {status}, not streamed", reply=Reply(status=status), model={"stream": False})
        for status in (400, 401, 429, 500)
    ),
    Case("context window", reply=Reply(status=400, error="This model's maximum context length is 8192 tokens.")),
    Case("context window, other words", reply=Reply(status=400, error="Input is too long for requested model.")),
    Case("rate limit in words", reply=Reply(status=400, error="Too many requests, slow down.")),
    Case("redirect", reply=Reply(status=307, headers={"Location": "http://127.0.0.1:9/v1"})),
    Case("cut in the stream", reply=Reply(cut_after=3)),
    Case("cut at once", reply=Reply(cut_after=0)),
    Case("no choices", reply=Reply(choices=False)),
    Case("half a JSON", reply=Reply(raw=b'{"id": "chatcmpl-1", "choices": [{"mess')),
    Case(
        "half a JSON, not streamed",
        reply=Reply(raw=b'{"id": "chatcmpl-1", "choices": [{"mess'),
        model={"stream": False},
    ),
    Case("a page of HTML", reply=Reply(raw=b"<html></html>", headers={"Content-Type": "text/html"})),
    Case(
        "a page of HTML, not streamed",
        reply=Reply(raw=b"<html></html>", headers={"Content-Type": "text/html"}),
        model={"stream": False},
    ),
    Case("no body", reply=Reply(raw=b"")),
    Case("no body, not streamed", reply=Reply(raw=b""), model={"stream": False}),
    Case("error quotes the key", reply=Reply(status=400, error="Bad key sk-parity-0123456789 in your request")),
]
PARAMETERS = [
    _params("top_p", top_p=0.5),
    _params("stop", stop=["END", "\n\n"]),
    _params("seed", seed=7),
    _params("n", n=1),
    _params("user", "LiteLLM drops it for names that it does not know", user="tide-watcher"),
    _params("logit_bias", logit_bias={"50256": -100}),
    _params("penalties", presence_penalty=0.5, frequency_penalty=-0.5),
    _params("response_format", response_format={"type": "json_object"}),
    _params(
        "response_format with a schema",
        response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
    ),
    _params("parallel_tool_calls", parallel_tool_calls=False),
    _params("metadata", _KEPT_BACK, metadata={"team": "tides"}),
    _params("vendor's own", top_k=40, min_p=0.05, chat_template_kwargs={"enable_thinking": False}),
    _params("reasoning_effort", reasoning_effort="low"),
    _params("service_tier", service_tier="flex"),
    _params("extra_body", extra_body={"guardrails": ["pii"], "tags": ["a"]}),
    Case("thinking", thinking={"budget_tokens": 2048}, published=_GUARDED),
    Case("temperature 0", model={"temperature": 0}),
    Case("temperature 2, one token", model={"temperature": 2, "max_tokens": 1}),
    Case("gpt-5 with a temperature", model={"model_id": "gpt-5-mini"}, published=_GUARDED),
    Case("o-series with a temperature", model={"model_id": "o3-mini"}, published=_GUARDED),
]
ADDRESSES = [
    *(
        Case(f"model {name}", model={"model_id": name})
        for name in (
            "claude-sonnet-4-5",
            "anthropic/claude-sonnet-4-5",
            "my-org/tide-model",
            "bedrock/eu.anthropic.claude",
            "gemini/gemini-2.5-pro",
            "azure/my-deployment",
            "a:b@c-1.2_3",
        )
    ),
    Case("model openai/gpt-4o", model={"model_id": "openai/gpt-4o"}, published="LiteLLM takes openai/ off the name"),
    Case(
        "model litellm_proxy/...",
        model={"model_id": "litellm_proxy/claude"},
        published="with custom_llm_provider LiteLLM leaves its own word on the name",
    ),
    Case(
        "use_litellm_proxy",
        model={"params": {"use_litellm_proxy": True}},
    ),
    Case("extra headers", headers={"CF-Access-Client-Id": "id-1", "CF-Access-Client-Secret": "secret-1"}),
    Case("extra headers, not streamed", headers={"X-Team": "tides"}, model={"stream": False}),
    Case("header without a value", headers={"X-Team": "tides", "X-Absent": None, "X-Empty": ""}),
    Case("no key", key=False, published="LiteLLM wants one"),
]
CASES = [*PLAIN, *TOOLS, *STRUCTURED, *CONTENT, *SYSTEM, *ENDS, *ERRORS, *PARAMETERS, *ADDRESSES]
