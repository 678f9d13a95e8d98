# Octroi. `make help` lists what can be made; each target prepares `.venv` first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
NODE_PEER := bench/peers/node
NODE_STAMP := $(NODE_PEER)/node_modules/.installed
COMPILE := $(BIN)/python -m piptools compile --quiet --strip-extras --allow-unsafe --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --all-build-deps

.DEFAULT_GOAL := help
.PHONY: help install demo test check fmt bench docs lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Prepare .venv, with locked dependencies

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make PYTHON=python3.12"; exit 1; }
	@echo "Preparing $(VENV) (a minute the first time)…"
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: install ## Start everything on 127.0.0.1:8000 and print a token and curl lines
	@$(BIN)/octroi demo $(ARGS)

test: install ## Run all tests, against real Valkey and PostgreSQL
	@$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

check: install ## Lint, types, import directions, generated pages
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fmt: install ## Format the code
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

bench: install $(NODE_STAMP) ## Measure the gateway beside its peers
	@$(BIN)/python -m bench.run $(ARGS)

$(NODE_STAMP): $(NODE_PEER)/package.json $(NODE_PEER)/package-lock.json
	@if command -v npm >/dev/null; then npm ci --prefix $(NODE_PEER) --silent --no-audit --no-fund && touch $@ || echo "The Node peer is left out: npm ci failed"; fi

docs: install ## Write the generated pages of docs/reference
	@$(BIN)/python -m docs.generate

lock: ## Resolve the dependencies anew: everything for .venv, and what the image needs at the same versions
	@$(COMPILE) --all-extras --output-file requirements-dev.lock pyproject.toml
	@$(COMPILE) --constraint requirements-dev.lock --output-file requirements.lock pyproject.toml

clean: ## Remove what was made, the demo's state included
	@rm -rf $(VENV) .octroi .mypy_cache .ruff_cache .pytest_cache *.egg-info
