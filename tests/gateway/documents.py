"""Texts of `gateway.yaml`."""

from pathlib import Path

TWO_MODELS = """\
models:
  zeta: {model: openai/gpt-5-mini, api_key_env: OPENAI_API_KEY, timeout_seconds: 60}
  4.1:
    model: anthropic/claude-sonnet-4-5
    api_key_env: ANTHROPIC_API_KEY
    api_base: https://proxy.example.com/v1
"""

EVERYTHING = Path(__file__).with_name("everything.yaml").read_text()
"""Every field of the file."""
