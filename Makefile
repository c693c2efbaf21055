# The front door. Each target works alone on a fresh machine with Python 3.11+ and make: it makes the environment in
# .venv with the tested versions of constraints.txt, once, and then does its job.
#
#   make test PYTHON=python3.12     another interpreter (make clean first, if .venv exists)
#   make test ARGS="-k markov"      further arguments to pytest, the demo or the benchmarks

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
ARGS ?=
BENCH ?= $(wildcard benchmarks/[a-z]*.py)

BIN := $(VENV)/bin
# With uv where it is or can be had by pip, else with pip; INSTALLER=pip goes without.
INSTALL := $(BIN)/python .ci/install.py
# One thread a worker: the tensors of the tests are small, and two processes are faster than two threads.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -q

.DEFAULT_GOAL := help
.PHONY: help demo test test-long test-all lint format bench clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.runtime ## Simulate a log, train xLSTM-LSR on it, compare, recommend
	$(BIN)/recollect demo $(ARGS)

test: $(VENV)/.dev ## Run the tests (minutes)
	$(PYTEST) $(ARGS)

test-long: $(VENV)/.dev ## Run only the long tests; RECOLLECT_DATA=folder adds those on real data
	@$(PYTEST) --long -m long $(ARGS) || { code=$$?; test $$code -eq 5 && echo "no long test was selected" || exit $$code; }

test-all: test test-long ## Run all tests, the long ones too

lint: $(VENV)/.dev ## Check style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.dev ## Format the code and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## Run the benchmarks, or one: make bench BENCH=benchmarks/x.py
	@test -n "$(BENCH)" || { echo "there is nothing in benchmarks/ yet"; exit 1; }
	@set -e; for file in $(BENCH); do echo "== $$file"; $(BIN)/python $$file $(ARGS); done

clean: ## Remove the environment and every cache
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Recollect needs Python 3.11 or newer and '$(PYTHON)' is not; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
		rm -rf $(VENV); echo "cannot make an environment: is the venv module of '$(PYTHON)' installed?"; exit 1; }

$(VENV)/.runtime: pyproject.toml constraints.txt .ci/install.py | $(BIN)/python
	@echo "Installing Recollect and its dependencies into $(VENV) (once) ..."
	@$(INSTALL)
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt .ci/install.py | $(BIN)/python
	@echo "Installing Recollect and its development tools into $(VENV) (once) ..."
	@$(INSTALL) dev
	@touch $(VENV)/.runtime $@
