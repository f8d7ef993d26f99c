"""What callers may send: each shape, what becomes of it, and the place that a refusal names."""

from __future__ import annotations

import base64
import json

import pytest

from agent_runtime.failures import BadRequestError
from agent_runtime.inputs import Prompt, media, messages, place
from tests.runtime.handler import MODEL_ID, SESSION
from tests.support.openai_server import Reply

PNG = b"\x89PNG\r\n\x1a\n" + 20 * b"p"
JPEG = b"\xff\xd8\xff" + 20 * b"j"
GIF = b"GIF89a" + 20 * b"g"
WEBP = b"RIFF\x00\x00\x00\x00WEBP" + 20 * b"w"
PDF = b"%PDF-1.7 " + 20 * b"d"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + 20 * b"o"
ZIP = b"PK\x03\x04" + 20 * b"z"


def encoded(content):
    return base64.b64encode(content).decode()


def data_url(kind, content):
    return f"data:{kind};base64,{encoded(content)}"


IMAGE = {"image": {"format": "png", "source": {"bytes": encoded(PNG)}}}
DOCUMENT = {"document": {"format": "pdf", "name": "Tide table", "source": {"bytes": encoded(PDF)}}}
USE = {"toolUse": {"toolUseId": "call_1", "name": "lookup", "input": {"word": "tide"}}}
RESULT = {"toolResult": {"toolUseId": "call_1", "status": "success", "content": [{"json": {"at": 6}}, {"text": "six"}]}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "lookup", "arguments": '{"word": "tide"}'}}


def read(payload):
    return Prompt.from_payload(payload).messages


def user(*content):
    return {"role": "user", "content": list(content)}


def assistant(*content):
    return {"role": "assistant", "content": list(content)}


SAME_QUESTION = {
    "prompt": {"prompt": "When?"},
    "blocks": {"prompt": [{"text": "When?"}]},
    "content": {"content": [{"text": "When?"}]},
    "strands-guide": {"input": {"prompt": "When?"}},
    "messages": {"messages": [user({"text": "When?"})]},
    "openai": {"model": "any", "messages": [{"role": "user", "content": "When?"}], "temperature": 1, "n": 1},
    "openai-parts": {"messages": [{"role": "user", "content": [{"type": "text", "text": "When?"}]}], "tools": []},
    "litellm-route": {"prompt": "ignored", "content": [{"type": "text", "text": "When?"}]},
}


@pytest.mark.parametrize("shape", SAME_QUESTION)
def test_one_question_in_every_shape(shape):
    assert read(SAME_QUESTION[shape]) == [user({"text": "When?"})]


@pytest.mark.parametrize("shape", SAME_QUESTION)
def test_every_shape_reaches_the_model_as_the_same_request(handler, endpoint, shape):
    response = handler.invoke(SAME_QUESTION[shape])

    assert response.json()["type"] == "done", response.text
    assert endpoint.requests[0].body["messages"][-1] == {
        "role": "user",
        "content": [{"type": "text", "text": "When?"}],
    }


@pytest.mark.parametrize(("format", "content"), [("png", PNG), ("jpeg", JPEG), ("gif", GIF), ("webp", WEBP)])
def test_images_of_all_formats_in_both_shapes(format, content):
    block = {"image": {"format": format, "source": {"bytes": encoded(content)}}}
    part = {"type": "image_url", "image_url": {"url": data_url(f"image/{format}", content), "detail": "low"}}

    expected = [user({"image": {"format": format, "source": {"bytes": content}}})]
    assert read({"prompt": [block]}) == expected
    assert read({"prompt": [part]}) == expected


@pytest.mark.parametrize(
    ("format", "kind", "content"),
    [
        ("pdf", "application/pdf", PDF),
        ("csv", "text/csv", b"a,b"),
        ("doc", "application/msword", OLE),
        ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", ZIP),
        ("xls", "application/vnd.ms-excel", OLE),
        ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ZIP),
        ("html", "text/html", b"<p>"),
        ("txt", "text/plain", b"six"),
        ("md", "text/markdown", b"# six"),
    ],
)
def test_documents_of_all_formats_in_both_shapes(format, kind, content):
    block = {"document": {"format": format, "name": "tide-table", "source": {"bytes": encoded(content)}}}
    part = {"type": "file", "file": {"filename": f"tide_table.{format}", "file_data": data_url(kind, content)}}

    expected = [user({"document": {"format": format, "name": "tide-table", "source": {"bytes": content}}})]
    assert read({"prompt": [block]}) == expected
    assert read({"prompt": [part]}) == expected


def test_file_without_a_type_is_known_by_its_name_and_one_without_a_name_gets_one():
    by_name = {"type": "file", "file": {"filename": "t.PDF", "file_data": encoded(PDF)}}
    nameless = {"type": "file", "file": {"file_data": data_url("application/pdf", PDF)}}

    (message,) = read({"prompt": [by_name, nameless, {"document": DOCUMENT["document"] | {"name": None}}]})

    names = [block["document"]["name"] for block in message["content"]]
    assert names == ["t", media.name_of_content(PDF), media.name_of_content(PDF)]
    assert media.name_of_content(PDF) != media.name_of_content(PDF + b" ")


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("high_water (2026).pdf", "high-water-(2026)"),
        ("..", "document"),
        ("Fl\u00f3d.pdf", "Fl-d"),
        ("a  b.txt", "a-b"),
    ],
)
def test_names_of_files_become_names_that_bedrock_takes(filename, name):
    assert media.name_of_file(filename) == name


def test_base64_may_be_broken_into_lines():
    wrapped = base64.encodebytes(PNG * 10).decode()

    (message,) = read({"prompt": [{"image": {"format": "png", "source": {"bytes": wrapped}}}]})

    assert message["content"][0]["image"]["source"]["bytes"] == PNG * 10


def test_images_and_documents_reach_the_model(handler, endpoint):
    handler.invoke({"prompt": [{"text": "What is this?"}, IMAGE, DOCUMENT]})

    _, image, document = endpoint.requests[0].body["messages"][-1]["content"]
    assert image["image_url"]["url"] == data_url("image/png", PNG)
    assert document["file"]["file_data"] == data_url("application/pdf", PDF)


STRANDS_CONVERSATION = [user({"text": "When?"}), assistant(USE), user(RESULT), assistant({"text": "At six."})]
OPENAI_CONVERSATION = [
    {"role": "user", "content": "When?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "six"},
    {"role": "assistant", "content": "At six."},
]
QUESTION = {"role": "user", "content": "And low water?"}
ROLES = ["system", "user", "assistant", "tool", "assistant", "user"]


def test_conversation_of_openai_becomes_content_blocks():
    assert read({"messages": [*OPENAI_CONVERSATION, QUESTION]}) == [
        user({"text": "When?"}),
        assistant(USE),
        user({"toolResult": {"toolUseId": "call_1", "status": "success", "content": [{"text": "six"}]}}),
        assistant({"text": "At six."}),
        user({"text": "And low water?"}),
    ]


def test_conversation_of_strands_stays_as_it_is():
    assert read({"messages": [*STRANDS_CONVERSATION, QUESTION]}) == [
        *STRANDS_CONVERSATION,
        user({"text": "And low water?"}),
    ]


def test_what_one_role_says_in_a_row_is_one_message_with_results_first():
    calls = {"role": "assistant", "content": "", "tool_calls": [CALL, CALL | {"id": "call_2"}]}
    results = [
        {"role": "tool", "tool_call_id": name, "content": [{"type": "text", "text": name}]}
        for name in ("call_2", "call_1")
    ]
    told = read({"messages": [QUESTION, QUESTION, calls, *results, QUESTION]})

    assert [message["role"] for message in told] == ["user", "assistant", "user"]
    assert [next(iter(block)) for block in told[2]["content"]] == ["toolResult", "toolResult", "text"]
    mixed = user({"text": "Well?"}, RESULT)
    assert [next(iter(block)) for block in read({"messages": [QUESTION, assistant(USE), mixed]})[2]["content"]] == [
        "toolResult",
        "text",
    ]


def test_answer_of_ours_can_be_sent_back_as_history(handler, endpoint):
    endpoint.script(MODEL_ID, Reply(text="At six.", reasoning="The moon."), Reply())
    first = handler.ask("When?")

    response = handler.invoke({"messages": [user({"text": "When?"}), first["result"], QUESTION]}, session=SESSION[::-1])

    assert response.status_code == 200, response.text
    assert "The moon." not in str(endpoint.requests[1].body["messages"])


@pytest.mark.parametrize("conversation", [STRANDS_CONVERSATION, OPENAI_CONVERSATION], ids=["strands", "openai"])
def test_conversation_that_the_caller_tells_takes_the_place_of_the_sessions(handler, endpoint, conversation):
    handler.ask("Something else")
    handler.invoke({"messages": [*conversation, QUESTION]})
    handler.ask("Thanks.")

    asked = endpoint.requests[1].body["messages"]
    assert [message["role"] for message in asked] == ROLES
    assert "Something else" not in str(asked)
    # The session goes on from there.
    assert "And low water?" in str(endpoint.requests[2].body["messages"])


def test_single_message_goes_on_with_the_session(handler, endpoint):
    handler.ask("Before")
    handler.invoke({"messages": [QUESTION]})

    assert "Before" in str(endpoint.requests[1].body["messages"])


@pytest.mark.parametrize("history", [[], STRANDS_CONVERSATION])
def test_nothing_of_the_session_is_lost_by_bad_input_or_by_a_failure(handler, endpoint, history):
    handler.ask("Before")
    assert handler.invoke({"messages": [*history, {"role": "user", "content": ""}]}).status_code == 400
    endpoint.script(MODEL_ID, Reply(status=404))
    assert handler.invoke({"messages": [*history, QUESTION]}).status_code == 502
    endpoint.script(MODEL_ID, Reply())

    handler.ask("After")

    asked = endpoint.requests[-1].body["messages"]
    assert [message["role"] for message in asked] == ["system", "user", "assistant", "user"]
    assert "Before" in str(asked)


def test_question_after_a_tools_result_reaches_the_model(handler, endpoint):
    response = handler.invoke({"messages": [QUESTION, assistant(USE), user(RESULT), QUESTION]})

    assert response.status_code == 200, response.text
    roles = [message["role"] for message in endpoint.requests[0].body["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "user"]


def _with_image(**changes):
    return {"prompt": [{"text": "What?"}, {"image": IMAGE["image"] | changes}]}


def _with_document(**changes):
    return {"prompt": [{"document": DOCUMENT["document"] | changes}]}


def _with_part(**part):
    return {"messages": [{"role": "user", "content": [part]}]}


def _with_messages(*told):
    return {"messages": [QUESTION, *told]}


TOO_LARGE = encoded(PNG + media.MAXIMUM_IMAGE_BYTES * b"x")
REFUSED = {
    "two-shapes": ({"prompt": "a", "messages": []}, "needs one of content, input, messages, prompt; it has"),
    "input-text": ({"input": "When?"}, "input must be a JSON object"),
    "input-empty": ({"input": {}}, "input needs one of"),
    "empty-blocks": ({"prompt": []}, "prompt is empty"),
    "too-many-blocks": ({"prompt": [{"text": "x"}] * 101}, "prompt has 101 items: at most 100"),
    "block-text": ({"prompt": [{"text": " "}]}, "prompt[0].text must be a text that is not empty"),
    "block-number": ({"prompt": [7]}, "prompt[0] must be a content block"),
    "two-members": ({"prompt": [{"text": "a", **IMAGE}]}, "prompt[0] must have one member, and one of"),
    "unknown-block": ({"prompt": [{"video": {}}]}, "one of text, image, document, toolResult"),
    "result-as-prompt": ({"prompt": [RESULT]}, "prompt holds a toolResult"),
    "use-by-user": ({"prompt": [USE]}, "prompt[0] must have one member"),
    "format": (_with_image(format="bmp"), "prompt[1].image.format must be one of gif, jpeg, png, webp, not 'bmp'"),
    "format-number": (_with_image(format=1), "prompt[1].image.format must be one of"),
    "other-bytes": (_with_image(format="jpeg"), "prompt[1].image.source.bytes is no jpeg"),
    "riff-but-no-webp": (_with_image(format="webp", source={"bytes": encoded(b"RIFF1234WAVE")}), "is no webp"),
    "no-base64": (_with_image(source={"bytes": "###"}), "prompt[1].image.source.bytes is no valid base64"),
    "url-base64": (_with_image(source={"bytes": "_-_-"}), "is no valid base64"),
    "not-ascii": (_with_image(source={"bytes": "\u00e9\u00e9\u00e9\u00e9"}), "is no valid base64"),
    "no-bytes": (_with_image(source={}), "prompt[1].image.source.bytes must be a text of base64"),
    "empty-bytes": (_with_image(source={"bytes": ""}), "source.bytes is empty"),
    "too-large": (_with_image(source={"bytes": TOO_LARGE}), "source.bytes is larger than 5000000 bytes"),
    "much-too-large": (_with_image(source={"bytes": TOO_LARGE * 2}), "is larger than 5000000 bytes"),
    "no-source": (_with_image(source=None), "prompt[1].image.source must be a JSON object"),
    "s3": (_with_image(source={"s3Location": {"uri": "s3://bucket/key"}}), "the agent fetches nothing"),
    "location": (_with_image(source={"location": {"type": "s3", "uri": "s3://b/k"}}), "the agent fetches nothing"),
    "document-name": (_with_document(name="a  b"), "prompt[0].document.name must be 1 to 200 letters"),
    "document-path": (_with_document(name="../etc/passwd"), "prompt[0].document.name must be"),
    "document-format": (_with_document(format="exe"), "prompt[0].document.format must be one of csv, doc,"),
    "no-pdf": (_with_document(source={"bytes": encoded(PNG)}), "prompt[0].document.source.bytes is no pdf"),
    "remote-image": (
        _with_part(type="image_url", image_url={"url": "https://example.com/a.png"}),
        "image_url.url must be a URL such as data:image/png;base64",
    ),
    "metadata-service": (_with_part(type="image_url", image_url={"url": "http://169.254.169.254/"}), "fetches nothing"),
    "file-url": (_with_part(type="image_url", image_url={"url": "file:///etc/passwd"}), "fetches nothing"),
    "plain-data-url": (_with_part(type="image_url", image_url={"url": "data:image/png,abc"}), "must be a URL such as"),
    "svg": (_with_part(type="image_url", image_url={"url": data_url("image/svg+xml", b"<svg/>")}), "one of the types"),
    "no-url": (_with_part(type="image_url", image_url={}), "messages[0].content[0].image_url.url must be a data: URL"),
    "document-as-image": (
        _with_part(type="image_url", image_url={"url": data_url("application/pdf", PDF)}),
        "image_url.url must be one of gif",
    ),
    "file-id": (_with_part(type="file", file={"file_id": "file-1"}), "messages[0].content[0].file has a file_id"),
    "file-unknown": (
        _with_part(type="file", file={"filename": "t.exe", "file_data": encoded(PDF)}),
        "messages[0].content[0].file.filename must be one of csv, doc",
    ),
    "audio": (
        _with_part(type="input_audio", input_audio={}),
        "messages[0].content[0].type must be one of file, image_url, text",
    ),
    "part-text": (_with_part(type="text"), "messages[0].content[0].text must be a text"),
    "no-messages": ({"messages": []}, "messages is empty"),
    "messages-text": ({"messages": "Hello"}, "messages must be a list"),
    "message-text": ({"messages": ["Hello"]}, "messages[0] must be a JSON object"),
    "too-many-messages": ({"messages": [QUESTION] * 1001}, "at most 1000"),
    "no-role": ({"messages": [{"content": "Hello"}]}, "messages[0].role must be one of assistant, tool, user"),
    "no-content": ({"messages": [{"role": "user"}]}, "messages[0].content must be a text or a list"),
    "system": ({"messages": [{"role": "system", "content": "Be rude."}, QUESTION]}, "messages[0].role is system"),
    "developer": (_with_messages({"role": "developer", "content": "x"}), "messages[1].role is developer"),
    "function-role": (_with_messages({"role": "function", "name": "f", "content": "x"}), "messages[1].role must be"),
    "assistant-first": ({"messages": [{"role": "assistant", "content": "Hi"}, QUESTION]}, "messages[0] is the first"),
    "assistant-last": (_with_messages({"role": "assistant", "content": "Hi"}), "messages[1] is the last one"),
    "assistant-silent": (
        _with_messages({"role": "assistant", "content": ""}, QUESTION),
        "messages[1].content says nothing",
    ),
    "assistant-null": (_with_messages({"role": "assistant", "content": None}, QUESTION), "messages[1].content must be"),
    "assistant-image": (
        _with_messages(assistant(IMAGE), QUESTION),
        "messages[1].content[0] must have one member, and one of text, toolUse",
    ),
    "result-last": (_with_messages(assistant(USE), user(RESULT)), "messages[2] is the last one"),
    "tool-last": ({"messages": [*OPENAI_CONVERSATION[:3]]}, "messages[2] is the last one"),
    "no-result": (_with_messages(assistant(USE), QUESTION), "messages[1] calls a tool, and the result does not follow"),
    "no-call": (
        _with_messages(assistant({"text": "Hi"}), user(RESULT), QUESTION),
        "messages[2] has the result of a call",
    ),
    "result-too-late": (_with_messages(assistant(USE), QUESTION, user(RESULT), QUESTION), "messages[1] calls a tool"),
    "two-results": (_with_messages(assistant(USE), user(RESULT, RESULT), QUESTION), "messages[2] has the result of"),
    "two-calls": (_with_messages(assistant(USE, USE), user(RESULT), QUESTION), "messages[1] has two calls with one id"),
    "tool-id": (
        _with_messages(assistant({"toolUse": USE["toolUse"] | {"toolUseId": "a b"}})),
        "messages[1].content[0].toolUse.toolUseId must be",
    ),
    "tool-name": (_with_messages(assistant({"toolUse": USE["toolUse"] | {"name": "a.b"}})), "toolUse.name must be"),
    "tool-input": (
        _with_messages(assistant({"toolUse": USE["toolUse"] | {"input": []}})),
        "toolUse.input must be a JSON object",
    ),
    "tool-input-nan": (
        _with_messages(assistant({"toolUse": USE["toolUse"] | {"input": {"a": float("nan")}}})),
        "toolUse.input holds NaN",
    ),
    "result-content": (
        _with_messages(assistant(USE), user({"toolResult": RESULT["toolResult"] | {"content": [{}]}})),
        "messages[2].content[0].toolResult.content[0] must have",
    ),
    "result-status": (
        _with_messages(assistant(USE), user({"toolResult": RESULT["toolResult"] | {"status": "odd"}})),
        "toolResult.status must be one of error, success",
    ),
    "arguments": (
        _with_messages({"role": "assistant", "tool_calls": [CALL | {"function": {"name": "f", "arguments": "[1]"}}]}),
        "messages[1].tool_calls[0].function.arguments must be a JSON object",
    ),
    "arguments-deep": (
        _with_messages(
            {"role": "assistant", "tool_calls": [CALL | {"function": {"name": "f", "arguments": 100_000 * "["}}]}
        ),
        "arguments must be a JSON object",
    ),
    "tool-without-id": (_with_messages({"role": "tool", "content": "x"}), "messages[1].tool_call_id must be"),
    "surrogate": (
        _with_messages({"role": "assistant", "content": "\ud83d"}),
        "messages[1].content holds half of a surrogate",
    ),
    "own-tools": (
        {"messages": [QUESTION], "tools": [{"type": "function"}]},
        "tools is not taken: the agent's tools are those of its blueprint",
    ),
    "own-format": (
        {"messages": [QUESTION], "response_format": {"type": "json_object"}},
        "response_format is not taken",
    ),
    "several-answers": ({"messages": [QUESTION], "n": 2}, "n must be 1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusal_names_the_place_and_what_is_wrong_there(case):
    payload, words = REFUSED[case]

    with pytest.raises(BadRequestError) as refusal:
        Prompt.from_payload(payload)

    assert words in str(refusal.value)
    assert len(str(refusal.value)) < 500


def test_refusal_over_http_is_a_400_and_calls_no_model(handler, endpoint):
    for case in ("format", "remote-image", "system", "no-result", "own-tools"):
        payload, words = REFUSED[case]
        response = handler.invoke(payload, accept="text/event-stream")

        assert (response.status_code, response.json()["error"]["type"]) == (400, "bad_request")
        assert words in response.json()["error"]["message"]
    assert endpoint.requests == []


def test_refusal_does_not_repeat_what_looks_like_a_secret():
    secret = "sk-canary-0123456789abcdef"

    with pytest.raises(BadRequestError) as refusal:
        read({"messages": [{"role": secret, "content": "x"}]})

    assert secret not in str(refusal.value)


def test_prompt_of_a_text_is_held_to_the_same_rules():
    assert Prompt.of_text("When?", stream=True) == Prompt([user({"text": "When?"})], stream=True)
    with pytest.raises(BadRequestError, match="prompt must be a text that is not empty"):
        Prompt.of_text(" ")
    with pytest.raises(BadRequestError, match="longer than 1000000"):
        Prompt.of_text((place.MAXIMUM_TEXT_CHARACTERS + 1) * "x")


def test_payloads_of_any_kind_are_read_or_refused():
    """Every JSON value at every place: a prompt or a `BadRequestError`, and nothing else."""
    values = [None, True, 0, 1.5, "", "x", [], [1], {}, {"text": 1}, {"type": "text"}, [[]], [{}], "\ud800", 10**30]
    whole = {
        "messages": [*STRANDS_CONVERSATION, *OPENAI_CONVERSATION, user({"text": "?"}, IMAGE, DOCUMENT)],
        "stream": True,
    }
    read(whole)

    tried = 0
    for way in list(_ways(whole)):
        for value in values:
            try:
                Prompt.from_payload(_changed(whole, way, value))
            except BadRequestError:
                tried += 1
    assert tried > 500


def _ways(value, way=()):
    yield way
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in items:
        yield from _ways(member, (*way, key))


def _changed(value, way, new):
    if not way:
        return new
    copy = json.loads(json.dumps(value))
    node = copy
    for key in way[:-1]:
        node = node[key]
    node[way[-1]] = new
    return copy


def test_limits_are_those_that_the_documentation_tells():
    assert (media.MAXIMUM_IMAGE_BYTES, media.MAXIMUM_DOCUMENT_BYTES) == (5_000_000, 4_500_000)
    assert (messages.MAXIMUM_MESSAGES, place.MAXIMUM_ITEMS, place.MAXIMUM_TEXT_CHARACTERS) == (1000, 100, 1_000_000)
