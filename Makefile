# make demo         trains five methods on real digits and prints the comparison (4 minutes on two cores)
# make test         lint, types and the tests (about 20 minutes on two cores)
# make test-all     the slow tests too
# make test-oldest  the tests on Python 3.11 with every dependency at its lower bound
# make test-newest  the tests on the newest Python found with the newest of every dependency
# make format       formats the code and mends what lint can mend
# make lint         format, lint and types alone
# make clean        removes the virtual environments and caches
# make help         this list
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST := -m pytest -n auto --dist worksteal
# TESTS names those to run instead of all; PRE=--pre lets test-newest try pre-releases.
TESTS ?=
PRE ?=

.PHONY: help demo test test-all test-oldest test-newest lint format clean

help:
	@sed -n "s/^# \(make .*\)/\1/p" $(MAKEFILE_LIST)

demo: $(VENV)/experiments
	$(BIN)/python -m experiments demo

test: lint
	$(BIN)/python $(PYTEST) -m "not slow" $(TESTS)

test-all: lint
	$(BIN)/python $(PYTEST) $(TESTS)

test-oldest: .venv-oldest/test
	.venv-oldest/bin/python $(PYTEST) -m "not slow" $(TESTS)

test-newest: .venv-newest/test
	.venv-newest/bin/python $(PYTEST) -m "not slow" $(TESTS)

lint: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --num-workers auto

format: $(VENV)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .venv-oldest .venv-newest .mypy_cache .ruff_cache .pytest_cache .hypothesis

# A file of the extra's name says that the environment holds that extra.
$(VENV)/%: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[$*]'
	touch $@

.venv-oldest/test: pyproject.toml
	python=$$(.ci/find-python 3.11) && $$python -m venv .venv-oldest
	.venv-oldest/bin/pip install --quiet --disable-pip-version-check uv
	.venv-oldest/bin/uv pip install --quiet --python .venv-oldest --resolution lowest-direct --editable '.[test]'
	touch $@

.venv-newest/test: pyproject.toml
	python=$$(.ci/find-python) && $$python -m venv .venv-newest
	.venv-newest/bin/pip install --quiet --disable-pip-version-check --upgrade --upgrade-strategy eager $(PRE) --editable '.[test]'
	touch $@
