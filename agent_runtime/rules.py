"""The kinds of text that a blueprint, an environment or a gateway file holds, each with the rule that it keeps."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, StringConstraints, WithJsonSchema

from agent_runtime.quoting import looks_like_secret, shown
from agent_runtime.strict import broken_rule

# Semantic Versioning 2.0.0, https://semver.org, without the named groups of its suggested expression.
_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?"
    r"(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?",
    re.ASCII,
)
_ENV_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")  # RFC 9110, section 5.6.2: token
# Set by the client itself, or able to redirect the request or replace the key: `Authorization` in the extra headers
# overrides the api key without a word (seen with the openai client).
_AUTHORIZATION = "authorization"
_RESERVED_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "cookie"})
_RESERVED_PREFIXES = ("x-amz-", "x-amzn-", "proxy-")
_RESERVED_VARIABLES = ("STRANDLINE_", "AWS_", "LITELLM_", "LD_", "PYTHON")
_PROCESS_NAMES = frozenset({"PATH", "HOME", "PORT"})
# Their secrets hold the keys of the environment's gateway, which are made and never typed; an agent that could name
# one would read the master key, or another agent's.
_KEYS_OF_THE_GATEWAY = frozenset(
    {
        *("LITELLM_MASTER_KEY", "LITELLM_MASTER_KEY_NEXT", "LITELLM_SALT_KEY"),
        *("STRANDLINE_GATEWAY_KEY", "STRANDLINE_GATEWAY_KEY_NEXT"),
    }
)
_KEY_OF_AN_AGENT = "GATEWAY_KEY_"
_INVISIBLE = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})


def _check_env_name(name: str) -> str:
    # The value is never quoted: a key pasted in place of its name is the most likely mistake here.
    if looks_like_secret(name):
        raise broken_rule(
            "looks like a secret itself, not like the name of a variable",
            "write a name such as OPENAI_API_KEY, keep the value in Secrets Manager (strandline secrets set NAME), "
            "and replace the key: it has been in a file",
        )
    if not _ENV_NAME.fullmatch(name):
        raise broken_rule(
            "is not the name of an environment variable",
            "use capital letters, digits and '_', 64 characters at most, for example OPENAI_API_KEY",
        )
    if name in _KEYS_OF_THE_GATEWAY or name.startswith(_KEY_OF_AN_AGENT):
        raise broken_rule(
            f"{name} is the gateway's own key, or one that it makes for an agent: nobody names it",
            "choose another name; an agent of base_url: gateway needs no api_key_env",
        )
    return name


def check_variable_name(name: str) -> str:
    """Accept the name of a variable that a user may set on a runtime; others steer Strandline, AWS or the process."""
    if name in _PROCESS_NAMES or name.startswith(_RESERVED_VARIABLES):
        raise broken_rule(
            f"{shown(name)} is a name that the runtime sets itself",
            "choose another name; STRANDLINE_, AWS_ and LITELLM_ are ours",
        )
    return name


def _check_value(text: str) -> str:
    if looks_like_secret(text):
        raise broken_rule(
            "looks like a secret, and whoever may describe the runtime reads it",
            "keep it in Secrets Manager: name its variable in api_key_env or extra_headers_env",
        )
    return _check_visible(text)


def _check_header_name(name: str) -> str:
    if name.lower() == _AUTHORIZATION:
        raise broken_rule(f"{name} is a header that the client sets itself", "name the key's variable in api_key_env")
    return _check_any_header_name(name)


def _check_any_header_name(name: str) -> str:
    if not _HEADER_NAME.fullmatch(name):
        raise broken_rule(
            "is not the name of an HTTP header",
            "use letters, digits and '-', 128 characters at most, for example CF-Access-Client-Id",
        )
    lowered = name.lower()
    if lowered in _RESERVED_HEADERS or lowered.startswith(_RESERVED_PREFIXES):
        raise broken_rule(f"{name} is a header that the client sets itself", "remove it")
    return name


def is_semver(text: str) -> bool:
    """Tell whether a text is a semantic version."""
    return _SEMVER.fullmatch(text) is not None


def _check_semver(version: str) -> str:
    if not is_semver(version):
        raise broken_rule("is not a semantic version", "write three numbers, for example 1.0.0 or 1.2.0-beta.1")
    return version


def _check_visible(text: str, allowed: str = "") -> str:
    for character in text:
        if unicodedata.category(character) in _INVISIBLE and character not in allowed:
            raise broken_rule(
                f"holds the invisible character U+{ord(character):04X}",
                "remove it; it may have come in with a copy from a web page",
            )
    return text


def check_line(text: str) -> str:
    """Accept one line that is not empty and holds nothing invisible."""
    if not text.strip():
        raise broken_rule("is empty", "write a text")
    return _check_visible(text)


def _check_token(text: str) -> str:
    if "${" in text:
        raise broken_rule("holds ${...}, which is not expanded here", "write the value itself")
    return check_word(text)


def check_word(text: str) -> str:
    """Accept a line without a space."""
    check_line(text)
    if any(character.isspace() for character in text):
        raise broken_rule("holds a space", "remove it")
    return text


EnvName = Annotated[
    str, AfterValidator(_check_env_name), WithJsonSchema({"type": "string", "pattern": f"^{_ENV_NAME.pattern}$"})
]
"""The name of an environment variable, which is also the name of its secret."""

VariableName = Annotated[EnvName, AfterValidator(check_variable_name)]
"""The name of a variable that a user sets on a runtime: no secret, and none of those that the runtime needs."""

VariableValue = Annotated[str, StringConstraints(max_length=1024), AfterValidator(_check_value)]
"""The value of such a variable: plain text in AWS, so never a secret."""

HeaderName = Annotated[
    str, AfterValidator(_check_header_name), WithJsonSchema({"type": "string", "pattern": f"^{_HEADER_NAME.pattern}$"})
]
"""The name of an HTTP request header that a blueprint may set, beside the key."""

AnyHeaderName = Annotated[
    str,
    AfterValidator(_check_any_header_name),
    WithJsonSchema({"type": "string", "pattern": f"^{_HEADER_NAME.pattern}$"}),
]
"""The name of a request header where no field of its own holds the key: Authorization too."""

SemVer = Annotated[
    str,
    StringConstraints(max_length=64),
    AfterValidator(_check_semver),
    WithJsonSchema({"type": "string", "maxLength": 64, "pattern": f"^{_SEMVER.pattern}$"}),
]
"""A semantic version, such as 1.0.0."""

Line = Annotated[str, StringConstraints(max_length=256), AfterValidator(check_line)]
"""One line for people to read: not empty, nothing invisible in it."""

Token = Annotated[str, StringConstraints(max_length=256), AfterValidator(_check_token)]
"""A word that is sent on as it is, such as a model id: no space in it."""

Text = Annotated[
    str, StringConstraints(max_length=4096), AfterValidator(lambda text: _check_visible(text, allowed="\n\t"))
]
"""A text of several lines for people to read."""
