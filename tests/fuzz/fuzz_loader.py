"""Fuzzes the loader with atheris, guided by coverage: any bytes are a blueprint or an InputError, soon and small.

Run by hand, with atheris in an environment of its own (it is not in the lock):

    uv venv /tmp/fuzz --python 3.11
    uv pip install --python /tmp/fuzz/bin/python atheris pydantic pyyaml jsonschema
    PYTHONPATH=. /tmp/fuzz/bin/python tests/fuzz/fuzz_loader.py /tmp/corpus tests/fuzz/seeds -runs=100000 -timeout=5
"""

import random
import resource
import sys
import time
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["agent_runtime", "yaml"]):
    from agent_runtime.errors import InputError
    from agent_runtime.expansion import ExpansionFault, expand, expand_declared
    from agent_runtime.loader import LoadedBlueprint, load_document
    from agent_runtime.references import References
    from agent_runtime.yaml_reader import parse_yaml

LIMIT_SECONDS = 1.0
LIMIT_KIB = 200 * 1024
FOLDER = Path(__file__).parents[2] / "blueprints"
SEEDS = Path(__file__).parent / "seeds"
BYTES_SHARE = 0.4
LINES = [line + b"\n" for file in SEEDS.glob("*.yaml") for line in file.read_bytes().splitlines()]
VARIABLES = {"A": "value", "B": "", "C": "${A}", "MODEL": "demo"}


class Destination:
    """Every rule of a destination applies in production."""

    name = "production"
    execution_mode = "production"
    variables = VARIABLES


class Worst:
    """What was slowest, and how much memory inputs took in all."""

    def __init__(self) -> None:
        self.count = self.valid = 0
        self.seconds = 0.0
        self.start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def report(self) -> None:
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - self.start) // 1024
        print(f"inputs={self.count} valid={self.valid} slowest={self.seconds:.3f}s grown={grown}MiB", flush=True)


WORST = Worst()


def load(content: bytes) -> None:
    try:
        agent: LoadedBlueprint = load_document(parse_yaml(content, "fuzz.yaml"), References(FOLDER))
        WORST.valid += 1
        agent.for_environment(Destination())
    except InputError as error:
        assert error.problems
        assert all(str(problem) for problem in error.problems)


def expansion(content: bytes) -> None:
    text = content.decode("utf-8", "ignore")
    for attempt in (lambda: expand(text, VARIABLES), lambda: expand_declared(text, ["A", "B"], VARIABLES)):
        try:
            attempt()
        except ExpansionFault as fault:
            assert fault.message


def one_input(content: bytes) -> None:
    started = time.process_time()
    load(content)
    expansion(content[:512])
    took = time.process_time() - started
    WORST.count += 1
    WORST.seconds = max(WORST.seconds, took)
    assert took < LIMIT_SECONDS, f"{took:.1f} s"
    if WORST.count % 5000 == 0:
        WORST.report()
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - WORST.start < LIMIT_KIB


def mutate_lines(content: bytes, limit: int, seed: int) -> bytes:
    """Put whole lines of valid blueprints in other places: bytes alone hardly ever leave a document valid."""
    chance = random.Random(seed)  # noqa: S311 - a fuzzer's choice, no secret
    if chance.random() < BYTES_SHARE:
        return bytes(atheris.Mutate(content, limit))
    lines = content.splitlines(keepends=True) or [b"\n"]
    at = chance.randrange(len(lines))
    fitting = [line for line in LINES if indent(line) == indent(lines[at])] or LINES
    kept = at + chance.choice((0, 1))
    return b"".join([*lines[:at], *chance.choices(fitting, k=chance.choice((0, 1, 1))), *lines[kept:]])[:limit]


def indent(line: bytes) -> int:
    return len(line) - len(line.lstrip())


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input, custom_mutator=mutate_lines)
    atheris.Fuzz()
