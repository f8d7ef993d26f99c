"""Checks of the artefact's native libraries: a wheel's name may promise what it does not hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_runtime.errors import InputError
from stacks.packaging import elf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stacks.packaging.target import Target

_MACHINES = {"aarch64": elf.AARCH64}
_SHOWN = 5


def check_binaries(tree: Path, target: Target) -> None:
    """Refuses a tree with a native program or library that the target cannot load.

    Args:
        tree: Root of the artefact.
        target: What it has to run on.

    Raises:
        InputError: One is for another machine, or needs a newer C library; names each.
    """
    if target.is_host:
        return  # uv takes the host's own wheels
    faults = [*_faults(tree, target)]
    if faults:
        more = f" (and {len(faults) - _SHOWN} more)" if len(faults) > _SHOWN else ""
        raise InputError(
            f"The code artefact cannot run on AgentCore, which is arm64: {'; '.join(faults[:_SHOWN])}{more}. Name "
            "another version of its package, whose wheel is for manylinux on aarch64, in blueprints/requirements.txt, "
            "or take the file out of blueprints/tools."
        )


def _faults(tree: Path, target: Target) -> Iterator[str]:
    machine, _, c_library = target.platform.partition("-manylinux_")
    newest = tuple(int(number) for number in c_library.split("_"))
    for file in sorted(path for path in tree.rglob("*") if path.is_file()):
        with file.open("rb") as opened:
            if opened.read(len(elf.MAGIC)) != elf.MAGIC:
                continue
            content = elf.MAGIC + opened.read()
        name = file.relative_to(tree).as_posix()
        try:
            number = elf.machine_of(content)
            if number != _MACHINES[machine]:
                yield f"{name} is for {elf.name_of(number)}"
            elif (needed := elf.newest_c_library(content)) > newest:
                yield f"{name} needs glibc {_dotted(needed)}, and wheels may count on {_dotted(newest)}"
        except elf.DamagedError:
            yield f"{name} is damaged"


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
