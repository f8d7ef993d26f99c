"""A blueprints folder that is valid until a test spoils it."""

from pathlib import Path

import pytest

BLUEPRINT = """\
id: hello
name: Hello
version: 1.0.0
prompt_ref: hello
model:
  provider: litellm
  base_url: gateway
  model_id: demo
  temperature: 0.2
  max_tokens: 500
"""


class Folder:
    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("agents", "prompts"):
            (root / name).mkdir(parents=True)
        self.prompt("hello", "Answer kindly.\n")

    def agent(self, name: str, text: str = BLUEPRINT) -> Path:
        path = self.root / "agents" / f"{name}.yaml"
        path.write_text(text)
        return path

    def prompt(self, ref: str, text: str) -> Path:
        path = self.root / "prompts" / f"{ref}.md"
        path.write_text(text)
        return path


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "blueprints")


@pytest.fixture
def valid() -> str:
    return BLUEPRINT
