"""Read the logs that a local cloud writes: one file for the emulator, one for each task and session."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from strandline.local_cloud.log_lines import readable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_POLL_SECONDS = 0.2


class LogReader:
    """The log files below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str | None, *, follow: bool, lines: int | None, raw: bool = False) -> Iterator[str]:
        """Lines as `name: line`; with `follow`, those that are written from now on as well.

        The handler writes JSON; with `raw` it stays that.
        """
        offsets: dict[Path, int] = {}
        for label, line in self._read(name, offsets, follow=follow, lines=lines):
            yield f"{label}: {line if raw else readable(line)}"

    def _read(
        self, name: str | None, offsets: dict[Path, int], *, follow: bool, lines: int | None
    ) -> Iterator[tuple[str, str]]:
        for path in self._files(name):
            yield from self._new_lines(path, offsets, lines)
        while follow:
            time.sleep(_POLL_SECONDS)
            for path in self._files(name):
                yield from self._new_lines(path, offsets, None)

    def _files(self, name: str | None) -> list[Path]:
        files = sorted(self._folder.rglob("*.log"), key=lambda path: (path.name != "emulator.log", path))
        return [path for path in files if name is None or name in self._label(path)]

    def _label(self, path: Path) -> str:
        return str(path.relative_to(self._folder).with_suffix(""))

    def _new_lines(self, path: Path, offsets: dict[Path, int], limit: int | None) -> Iterator[tuple[str, str]]:
        """Complete lines only: half a line is left for the next look."""
        with path.open("rb") as handle:
            handle.seek(offsets.get(path, 0))
            data = handle.read()
        end = data.rfind(b"\n") + 1
        offsets[path] = offsets.get(path, 0) + end
        label = self._label(path)
        for line in deque(data[:end].decode("utf-8", errors="replace").splitlines(), limit):
            yield label, line
