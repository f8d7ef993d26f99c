"""Fuzzes the loader with atheris, guided by coverage: any bytes are a blueprint or an InputError, soon and small.

Run by hand, with atheris in an environment of its own (it is not in the lock):

    uv venv /tmp/fuzz --python 3.11
    uv pip install --python /tmp/fuzz/bin/python atheris pydantic pyyaml jsonschema
    PYTHONPATH=. /tmp/fuzz/bin/python tests/fuzz/fuzz_loader.py -runs=100000 -timeout=1 -rss_limit_mb=512
"""

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
    started = time.perf_counter()
    load(content)
    expansion(content[:512])
    took = time.perf_counter() - started
    WORST.count += 1
    WORST.seconds = max(WORST.seconds, took)
    assert took < LIMIT_SECONDS, f"{took:.1f} s"
    if WORST.count % 5000 == 0:
        WORST.report()
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - WORST.start < LIMIT_KIB


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
