# One entry for everything a newcomer or a machine runs. Needs Python 3.11+ with venv, and make; uv is used when present.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := bot handlers storage demo tests benchmarks
UV := $(shell command -v uv 2>/dev/null)

ifdef UV
PIP_INSTALL = $(UV) pip install --quiet --python $(BIN)/python
else
PIP_INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check
endif

# Tests start hundreds of processes: without compiled files each of them would compile the whole program anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo test check format bench pictures lock clean
.DEFAULT_GOAL := help

help:
	@echo "make demo     a whole store on this machine, and the bot in front of it"
	@echo "make test     every test"
	@echo "make check    format, lint, types, import rules"
	@echo "make bench    the benchmarks, as a table of ratios"
	@echo "make install  only set up .venv"
	@echo "make pictures the README's pictures, taken from the demo page"

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: pyproject.toml requirements/build.lock requirements/runtime.lock | $(BIN)/python
	$(PIP_INSTALL) --require-hashes -r requirements/build.lock
	$(PIP_INSTALL) --require-hashes -r requirements/runtime.lock
	$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.lock
	$(PIP_INSTALL) --require-hashes -r requirements/dev.lock
	@touch $@

install: $(VENV)/.dev

demo: $(VENV)/.runtime
	$(BIN)/countlast demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest

check: $(VENV)/.dev
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

pictures: $(VENV)/.dev
	$(BIN)/python -m tests.pictures

# Only for whoever changes a dependency; needs uv. The lock files name no index address.
lock:
	printf 'setuptools>=77\n' | uv pip compile - --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-header --no-annotate --output-file requirements/build.lock
	uv pip compile pyproject.toml --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-header --output-file requirements/runtime.lock
	uv pip compile pyproject.toml --group dev --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-header --output-file requirements/dev.lock

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
