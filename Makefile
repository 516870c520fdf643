# The hub's commands. `make help` lists them.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
MANAGE := $(BIN)/python manage.py
# Tests that need no browser run side by side, each worker in a database of its own.
TEST_WORKERS ?= 2
RUNTIME := $(VENV)/.installed
DEVELOPMENT := $(VENV)/.installed-dev
SOURCES := orderhub channels_sync triage tests manage.py gunicorn.conf.py

.DEFAULT_GOAL := help
.PHONY: help run setup test browser check format lint types imports migrations translations deploy-check bench \
	messages lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(RUNTIME)  ## the whole hub on this machine with demo data; PORT=8001 moves it, Ctrl-C stops it
	@exec $(MANAGE) run $(if $(PORT),--port $(PORT))

setup: $(RUNTIME)  ## migrate, load defaults, write schedules
	$(MANAGE) setup

test: $(DEVELOPMENT)  ## the test suite (without browser) on a PostgreSQL database of its own
	$(BIN)/pytest -q -n $(TEST_WORKERS) -m "not browser" $(ARGS)

browser: $(DEVELOPMENT)  ## the browser tests (needs chromium)
	$(BIN)/pytest -q -m browser $(ARGS)

check: format lint types imports migrations translations deploy-check test browser  ## everything CI checks

format: $(DEVELOPMENT)  ## formatting is as the formatter wants it
	$(BIN)/ruff format --check $(SOURCES)

lint: $(DEVELOPMENT)  ## style and likely mistakes
	$(BIN)/ruff check $(SOURCES)

types: $(DEVELOPMENT)  ## strict types
	$(BIN)/mypy orderhub channels_sync triage

imports: $(DEVELOPMENT)  ## who may import whom (.importlinter)
	$(BIN)/lint-imports --no-cache

migrations: $(DEVELOPMENT)  ## no model change without its migration
	$(MANAGE) makemigrations --check --dry-run

translations: $(DEVELOPMENT)  ## every text has its Chinese
	$(BIN)/pytest -q tests/test_translations.py

deploy-check: $(DEVELOPMENT)  ## Django's deployment checks under production settings
	$(BIN)/pytest -q tests/test_deployment.py

bench: $(DEVELOPMENT)  ## the benchmarks; ARGS="--orders 100000 NAME" chooses
	$(MANAGE) bench $(ARGS)

messages: $(DEVELOPMENT)  ## collect texts for translation (needs gettext)
	$(MANAGE) makemessages --locale zh_Hans --no-obsolete --no-location --ignore 'var/*' --ignore '$(VENV)/*'
	$(MANAGE) compilemessages

lock: $(DEVELOPMENT)  ## pin the newest versions that fit requirements*.in
	$(BIN)/uv pip compile -q --upgrade --python-version 3.11 --no-header --no-annotate requirements.in -o requirements.txt
	$(BIN)/uv pip compile -q --upgrade --python-version 3.11 --no-header --no-annotate requirements-dev.in -o requirements-dev.txt

clean:  ## remove the environment and everything made at run time, database included
	rm -rf $(VENV) var staticfiles .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "Python's venv module is missing: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(DEVELOPMENT): requirements-dev.txt | $(RUNTIME)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
