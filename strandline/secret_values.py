"""What a person gives as the value of a secret: trimmed, refused where it can be none, stored. No message quotes it."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from agent_runtime.errors import InputError
from strandline.asking import is_somebody_there
from strandline.aws_errors import told

if TYPE_CHECKING:
    from strandline.targets import Target

_PLACEHOLDERS = {"changeme", "change-me", "todo", "secret", "your-api-key", "xxx", "none", "null"}
# Secrets Manager's quota for a secret's value.
_MAXIMUM_BYTES = 65_536

# How providers let their keys begin, and what variables of theirs are called. A longer beginning is asked first.
_PROVIDERS = (
    ("Anthropic", "sk-ant-", ("ANTHROPIC", "CLAUDE")),
    ("OpenRouter", "sk-or-", ("OPENROUTER",)),
    ("OpenAI", "sk-proj-", ("OPENAI",)),
    ("OpenAI", "sk-svcacct-", ("OPENAI",)),
    ("Google", "AIza", ("GEMINI", "GOOGLE", "VERTEX")),
    ("Groq", "gsk_", ("GROQ",)),
    ("xAI", "xai-", ("XAI", "GROK")),
    ("Perplexity", "pplx-", ("PERPLEXITY",)),
    ("Hugging Face", "hf_", ("HUGGINGFACE", "HF")),
    ("Amazon Bedrock", "ABSK", ("BEDROCK", "AWS")),
    ("Langfuse", "sk-lf-", ("LANGFUSE",)),
    ("LangSmith", "lsv2_", ("LANGSMITH", "LANGCHAIN")),
)


def check_value(name: str, value: str) -> str:
    """Trims a value and refuses what cannot be a key.

    Args:
        name: Name of the variable.
        value: What the person gave.

    Returns:
        The value to store.

    Raises:
        InputError: The value is empty, a placeholder, quoted, another provider's, or holds what no HTTP header can; it
            is not quoted in the message.
    """
    trimmed = value.strip()
    if not trimmed:
        raise InputError(f"The value of {name} is empty: nothing was changed.")
    if trimmed.lower() in _PLACEHOLDERS:
        raise InputError(f"The value of {name} is a placeholder: nothing was changed.")
    if trimmed[0] == trimmed[-1] and trimmed[0] in "'\"":
        raise InputError(f"The value of {name} stands in quotes, which would become part of it: leave them out.")
    if any(not " " <= character <= "~" for character in trimmed):
        raise InputError(
            f"The value of {name} has a line break or a character outside ASCII inside: nothing was changed."
        )
    if len(trimmed) > _MAXIMUM_BYTES:
        raise InputError(f"The value of {name} is longer than Secrets Manager's {_MAXIMUM_BYTES} bytes.")
    if stranger := _other_provider(name, trimmed):
        raise InputError(f"The value of {name} begins as keys of {stranger} do: nothing was changed.")
    return trimmed


def put_value(target: Target, name: str, value: str) -> None:
    """Writes a new version of a secret.

    Args:
        target: The environment.
        name: Name of the variable.
        value: The checked value.

    Raises:
        InputError: The environment has no such secret.
        EnvironmentFault: Secrets Manager refuses.
    """
    from stacks.names import secret_name

    secret = secret_name(target.environment, name)
    absent = (
        f"{target.environment.name} has no secret {secret}. Does a blueprint name {name}? "
        f"Secrets are created by `cdk deploy '{target.environment.stage_id}/Secrets'`."
    )
    with told("Secrets Manager", f"Secrets Manager refuses {secret}", absent=absent):
        target.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=value)


def read_value(question: str) -> str:
    """Reads a value from standard input, or from a prompt that does not show it.

    Args:
        question: What the prompt asks.

    Returns:
        What was given, as it was given.
    """
    if is_somebody_there():
        import getpass

        return getpass.getpass(f"{question} (not shown): ")
    return sys.stdin.read()


def _other_provider(name: str, value: str) -> str | None:
    """The provider that the value is of, where the variable is called after another one."""
    words = set(re.split(r"[^A-Z]+", name.upper()))
    called_after = {provider for provider, _, names in _PROVIDERS if words & set(names)}
    for provider, beginning, _ in _PROVIDERS:
        if value.startswith(beginning):
            return provider if called_after and provider not in called_after else None
    return None
