"""The prompts folder: what `prompt_ref` names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_runtime.errors import InputError
from agent_runtime.files import KIB, FileFault, decode_utf8, read_inside
from agent_runtime.suggestions import nearest

if TYPE_CHECKING:
    from pathlib import Path

    from agent_runtime.yaml_nodes import Document

MAX_PROMPT_BYTES = 256 * KIB
_SUFFIX = ".md"
_REF_PATH = ("prompt_ref",)


class PromptFolder:
    """Reads prompts, each file once in a run: agents may share one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._prompts: dict[str, str] = {}

    def read(self, ref: str, document: Document) -> str:
        """Read a prompt.

        Args:
            ref: The prompt's name, checked by the schema.
            document: The blueprint that names it, which an error points at.

        Returns:
            The text, exactly as in the file.

        Raises:
            InputError: The prompt is missing, empty, no UTF-8, too large or a link.
        """
        if ref not in self._prompts:
            try:
                self._prompts[ref] = self._load(ref)
            except FileFault as fault:
                where = f"{self._folder / (ref + _SUFFIX)}" + (f":{fault.line}" if fault.line > 1 else "")
                message = f"the prompt cannot be used: {where}: {fault.message}"
                raise InputError(document.problem(_REF_PATH, message, self._hint(ref, fault))) from None
        return self._prompts[ref]

    def _load(self, ref: str) -> str:
        text = decode_utf8(read_inside(self._folder, ref + _SUFFIX, limit=MAX_PROMPT_BYTES))
        if not text.strip():
            raise FileFault("the file is empty", "write the prompt")
        return text

    def _hint(self, ref: str, fault: FileFault) -> str:
        try:
            known = [path.stem for path in self._folder.iterdir() if path.suffix == _SUFFIX]
        except OSError:
            known = []
        guess = nearest(ref, known) if ref not in known else None
        return f"did you mean {guess}?" if guess else fault.hint
