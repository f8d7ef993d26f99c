"""The prompts folder: what `prompt_ref` names.

A prompt may start with front matter, YAML between two lines of three hyphens:

    ---
    status: draft            # or stable, which is also what no front matter means
    variables: [COMPANY]     # ${COMPANY} and ${COMPANY:-default} in the text are expanded; other ${...} are not
    ---
    You answer for ${COMPANY}.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from agent_runtime.errors import InputError, Problem
from agent_runtime.expansion import ExpansionFault, expand_declared
from agent_runtime.files import KIB, FileFault, decode_utf8, read_inside
from agent_runtime.named_files import unusable
from agent_runtime.rules import VariableName
from agent_runtime.strict import StrictModel
from agent_runtime.validation import validate
from agent_runtime.yaml_reader import parse_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from agent_runtime.yaml_nodes import Document

MAX_PROMPT_BYTES = 256 * KIB

PromptStatus = Literal["draft", "stable"]

_SUFFIX = ".md"
_REF_PATH = ("prompt_ref",)
_FENCE = "---"


class FrontMatter(StrictModel):
    """What a prompt says of itself."""

    status: PromptStatus = Field(default="stable", description="draft is for every environment but production.")
    variables: Annotated[tuple[VariableName, ...], Field(strict=False, max_length=50)] = Field(
        default=(), description="Variables that are expanded in the text."
    )


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as its file holds it.

    Attributes:
        file: Path of the file.
        text: The text below the front matter, exactly as it stands there.
        status: Whether production may take it.
        variables: Names of the variables that are expanded in the text.
    """

    file: str
    text: str
    status: PromptStatus
    variables: tuple[str, ...]

    def expanded(self, variables: Mapping[str, str]) -> str:
        """Return the text with the values of its variables in it.

        Args:
            variables: Values by name.

        Returns:
            The text.

        Raises:
            ExpansionFault: A variable that the prompt names is not set and has no default.
        """
        return expand_declared(self.text, self.variables, variables)


class PromptFolder:
    """Reads prompts, each file once in a run: agents may share one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._prompts: dict[str, Prompt] = {}

    def read(self, ref: str, document: Document) -> Prompt:
        """Read a prompt.

        Args:
            ref: The prompt's name, checked by the schema.
            document: The blueprint that names it, which an error points at.

        Returns:
            The prompt.

        Raises:
            InputError: The prompt is missing, empty, no UTF-8, too large or a link, or its front matter is wrong.
        """
        if ref not in self._prompts:
            try:
                self._prompts[ref] = self._load(ref)
            except FileFault as fault:
                file = self._folder / (ref + _SUFFIX)
                raise InputError(unusable("prompt", file, fault, document=document, at=_REF_PATH)) from None
        return self._prompts[ref]

    def _load(self, ref: str) -> Prompt:
        file = str(self._folder / (ref + _SUFFIX))
        content = decode_utf8(read_inside(self._folder, ref + _SUFFIX, limit=MAX_PROMPT_BYTES))
        matter, text = _split(content)
        front = validate(FrontMatter, parse_yaml(matter.encode(), file)) if _says_something(matter) else FrontMatter()
        if not text.strip():
            raise FileFault("the file is empty", "write the prompt")
        for name in front.variables:
            if f"${{{name}" not in text:
                raise InputError(_unused(file, name))
        _check_forms(text, front.variables)
        return Prompt(file, text, front.status, front.variables)


def _split(content: str) -> tuple[str, str]:
    """Part front matter and text. The matter keeps its first line, blank, so that its places are the file's."""
    lines = content.splitlines(keepends=True)
    if not lines or lines[0].rstrip() != _FENCE:
        return "", content
    for number, line in enumerate(lines[1:], start=1):
        if line.rstrip() == _FENCE:
            return "\n" + "".join(lines[1:number]), "".join(lines[number + 1 :])
    raise FileFault("the front matter has no end", "close it with a line of three hyphens")


def _says_something(matter: str) -> bool:
    return any(line.strip() and not line.lstrip().startswith("#") for line in matter.splitlines())


def _check_forms(text: str, names: tuple[str, ...]) -> None:
    try:
        expand_declared(text, names, dict.fromkeys(names, ""))
    except ExpansionFault as fault:
        raise FileFault(fault.message, fault.hint) from None


def _unused(file: str, name: str) -> Problem:
    return Problem(file, 1, 1, "variables", f"the text does not hold ${{{name}}}", "use it, or take it off the list")
