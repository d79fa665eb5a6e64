# Every target works from a bare Python 3.11+: it makes .venv when there is none.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check-long lint bench clean

demo: .venv/installed
	@$(BIN)/chainrule demo

test: .venv/tests
	$(BIN)/pytest -m "not slow"

check-long: .venv/tests
	$(BIN)/pytest -m slow

lint: .venv/lint
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/pyright

bench: .venv/tests
	$(BIN)/python benchmarks/run.py

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "chainrule needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	@echo "Making a virtual environment in .venv (about 0.7 GB, a minute or so on the first run) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --upgrade pip

.venv/installed: .venv/bin/python pyproject.toml
	@$(BIN)/python -m pip install --quiet -e .
	@touch $@

.venv/tests: .venv/bin/python pyproject.toml
	@$(BIN)/python -m pip install --quiet -e '.[data,test]'
	@touch $@ .venv/installed

.venv/lint: .venv/tests
	@$(BIN)/python -m pip install --quiet -e '.[lint]'
	@touch $@

clean:
	rm -rf .venv build dist
