"""Reading a user's files without being led out of their folder.

Every step below the folder is opened relative to the one before and without following links, so that a path that is
swapped for a link between a check and its use still leads nowhere.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

KIB = 1024

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_LINK_ERRORS = (errno.ELOOP, errno.EMLINK)


class FileFault(Exception):
    """Raised when a file cannot be read; the caller knows which line of which file asked for it.

    Attributes:
        message: What is wrong.
        hint: How to mend it.
        line: Line of the file that is at fault, from 1; 1 when it is the whole.
    """

    def __init__(self, message: str, hint: str, line: int = 1) -> None:
        self.message = message
        self.hint = hint
        self.line = line
        super().__init__(message)


def read_inside(folder: Path, *steps: str, limit: int) -> bytes:
    """Read a regular file below a folder.

    Args:
        folder: The folder; may itself be a link.
        *steps: Names of the folders below it and, last, of the file. None may be a link.
        limit: Most bytes that the file may have.

    Returns:
        The content.

    Raises:
        FileFault: The file is missing, a link, no regular file, too large or not readable.
    """
    if any(step in ("", ".", "..") or "/" in step or "\0" in step for step in steps):
        raise FileFault("the path leads out of its folder", "name a file of the folder")
    try:
        handle = _open_inside(folder, steps)
    except OSError as error:
        raise _fault_of(error) from None
    try:
        return _read_regular(handle, limit)
    except OSError as error:
        raise _fault_of(error) from None
    finally:
        os.close(handle)


def decode_utf8(content: bytes) -> str:
    """Decode a file's content.

    Args:
        content: The bytes.

    Returns:
        The text.

    Raises:
        FileFault: It is not plain UTF-8 without a byte order mark, or holds NUL.
    """
    hint = "save the file as UTF-8 without a byte order mark"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FileFault("the file is UTF-16", hint)
    if content.startswith(b"\xef\xbb\xbf"):
        raise FileFault("the file starts with a byte order mark", hint)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FileFault("the file is not UTF-8", hint, line) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise FileFault("the file holds a NUL character", "remove it", line)
    return text


def _open_inside(folder: Path, steps: tuple[str, ...]) -> int:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for step in steps:
        # O_NONBLOCK: opening a pipe must not wait for a writer.
        flags = _FLAGS | (os.O_NONBLOCK if step is steps[-1] else os.O_DIRECTORY)
        try:
            below = os.open(step, flags, dir_fd=handle)
        finally:
            os.close(handle)
        handle = below
    return handle


def _read_regular(handle: int, limit: int) -> bytes:
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        raise FileFault("it is not a regular file", "put a file there")
    content = b""
    # One byte more than allowed is asked for: a file may grow after fstat.
    while len(content) <= limit and (chunk := os.read(handle, limit + 1 - len(content))):
        content += chunk
    if len(content) > limit:
        raise FileFault(f"the file is larger than {limit // KIB} KiB", "make it smaller, or split it")
    return content


def _fault_of(error: OSError) -> FileFault:
    if error.errno in _LINK_ERRORS:
        return FileFault("it is a symbolic link", "put the file itself there: links may lead out of the folder")
    if error.errno == errno.ENOENT:
        return FileFault("there is no such file", "create it, or mend the path")
    if error.errno == errno.ENOTDIR:
        return FileFault("a folder on the way is a file or a symbolic link", "mend the path")
    if error.errno in (errno.EACCES, errno.EPERM):
        return FileFault("the file may not be read", "give yourself the right to read it")
    return FileFault(f"it cannot be read: {os.strerror(error.errno or 0)}", "mend the path")
