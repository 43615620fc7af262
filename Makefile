# 365 Email Appliance. `make help` lists what can be made.
.DEFAULT_GOAL := help
PY := .venv/bin/python
.PHONY: help setup run test test-pg e2e bench crash-test queue-crash-test fuzz lint fmt types docs check clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## make .venv with everything that is needed
	@sh provisioning/develop.sh

run: setup ## set up and serve the whole appliance on this machine (Ctrl-C stops it)
	@.venv/bin/appliance run $(ARGS)

test: setup ## set up and run the tests
	@$(PY) -m pytest $(ARGS)

test-pg: setup ## run the tests that touch the database, on PostgreSQL only
	@$(PY) -m pytest -k postgresql $(ARGS)

e2e: setup ## run the end-to-end tests only: real processes, real sockets
	@$(PY) -m pytest tests/e2e $(ARGS)

bench: setup ## measure, and print ratios against a peer or a physical limit
	@$(PY) -m tests.bench $(ARGS)

crash-test: setup ## kill -9 random processes under traffic, 200 rounds, and compare the ledger
	@$(PY) -m tests.e2e.crash_loop --rounds 200 $(ARGS)

queue-crash-test: setup ## kill -9 the queue's runner at work, 1,000 rounds: accepted, lost, delivered twice
	@$(PY) -m tests.e2e.queue_crash --rounds 1000 $(ARGS)

fuzz: setup ## feed hostile bytes to every parser for ten minutes; findings go to build/fuzz
	@$(PY) -m tests.fuzz --seconds 600 $(ARGS)

lint: setup ## check style and common mistakes
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

fmt: setup ## format the code
	@$(PY) -m ruff check --fix-only -q .
	@$(PY) -m ruff format .

types: setup ## check the types, strictly
	@$(PY) -m mypy

docs: setup ## write the pages that are generated from the code
	@$(PY) -m appliance.config > appliance/CONFIGURATION.md.new
	@mv appliance/CONFIGURATION.md.new appliance/CONFIGURATION.md
	@$(PY) -m tests.requirements

check: lint types test ## everything a change must pass

clean: ## remove what was built, not your data
	@rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
