# Two commands matter on a fresh machine with Python (3.11 or newer) and make:
# `make demo` to see Kaunta work, `make test` to see that it is right.

PYTHON ?= python3
VENV := .venv
# The bench's peers have an environment of their own.
PEERS := .venv-bench
RUN := $(VENV)/bin/python
# How many processes test at once; how the lock files are compiled.
WORKERS ?= auto
UV ?= uv
PIP := $(RUN) -m pip --disable-pip-version-check --quiet install --require-hashes --only-binary :all: --no-compile
COMPILE := $(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-annotate --custom-compile-command "make lock"
# How long `make soak` goes on, and from which seed; without one each soak is another.
MINUTES ?= 30
SEED ?=
# How often every way of a row of the bench is measured; only one row of it.
ROUNDS ?= 5
ROW ?=
# What PostgreSQL's versions can differ in, tested again on every other one: the schema, its migrations, triggers, rights,
# partitions and plans; every query, prepared; locks, commits and hints; the guard of the switch; money's way into the
# books; seals, backups and restores; what reads, repairs or moves a whole database. What stands above these
# (pages, commands' words, Daraja's side) is the same program on the same queries.
ON_EVERY_POSTGRES := tests/schema tests/plugins tests/pooled tests/audit tests/tabs \
	$(addprefix tests/core/,test_db.py test_migrate.py test_live.py test_together.py test_personal.py test_problems.py) \
	$(addprefix tests/bars/,test_add.py test_guard.py test_migration.py test_migration_beside_others.py) \
	$(addprefix tests/bars/,test_mpesa_switch.py test_payment_methods.py test_switch_properties.py) \
	$(addprefix tests/payments/,test_apply.py test_claims_at_once.py test_day_totals.py test_guards.py test_history.py) \
	$(addprefix tests/payments/,test_inbox.py test_inbox_order.py test_invariants.py test_silence.py) \
	$(addprefix tests/payments/direct/,test_books.py test_invariants.py test_matching.py test_refunds.py) \
	$(addprefix tests/backups/,test_restore.py test_whole.py) tests/deploy/test_database_roles.py \
	$(addprefix tests/cli/,test_database.py test_guard.py test_sync.py) \
	tests/statements/test_importing.py tests/privacy/test_erasing.py tests/adopt/test_switching.py

export PIP_NO_INPUT := 1
# Compiled files are kept, whatever this shell says: the tests start hundreds of programs.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup demo test check prove soak bench traceability screens lock browser pooler

help: ## this list
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):[^#]*## /  make \1\t/' | expand -t 21

setup: $(VENV)/.run ## the virtual environment with what running needs, and .venv/bin/kaunta

demo: $(VENV)/.run ## a bar to try out: database, simulated M-Pesa and phone, pages; until Ctrl-C
	@$(VENV)/bin/kaunta demo

test: $(VENV)/.test browser pooler ## the whole suite, then what versions of PostgreSQL may differ in on every other one here
	@only=""; \
	if ! $(RUN) -m tests.chromium; then only="not browser"; \
	    echo "NOTE: Chromium is missing and could not be installed: the browser tests are left out." >&2; fi; \
	if ! $(RUN) -m tests.pgbouncer; then only="$${only:+$$only and }not pgbouncer"; \
	    echo "NOTE: PgBouncer is missing and could not be installed: the tests behind it are left out." >&2; fi; \
	$(RUN) -m pytest --numprocesses $(WORKERS) --dist worksteal -m "$$only"
	@only="database"; $(RUN) -m tests.pgbouncer || only="$$only and not pgbouncer"; \
	$(RUN) -m kaunta.core.postgres_binaries | while read -r programs; do \
	    echo "Once more, on the PostgreSQL of $$programs:"; \
	    KAUNTA_TEST_POSTGRES="$$programs" $(RUN) -m pytest --numprocesses $(WORKERS) --dist worksteal \
	        -m "$$only" $(ON_EVERY_POSTGRES) </dev/null || exit 1; done

check: $(VENV)/.test ## style, types, import rules, templates, translations, nothing in the tree that must not be
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/djlint --quiet --lint src/kaunta/templates
	$(RUN) -m kaunta.core.translations check
	$(RUN) -m tests.tracked_files

prove: $(VENV)/.test browser ## the full proofs, up to 45 minutes; writes docs/reference/proof.md
	$(RUN) -m pytest --share proofs --proof-page --numprocesses $(WORKERS) --dist worksteal

soak: $(VENV)/.test ## evenings of everything that can go wrong, for MINUTES, from SEED; stops at the first lost shilling
	$(RUN) -m tests.properties.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

bench: $(VENV)/.run $(PEERS)/.peers ## what everything costs, beside the usual way and PostgreSQL alone; ROUNDS, ROW; a quarter of an hour
	$(RUN) -m bench --rounds $(ROUNDS) $(if $(ROW),--row $(ROW))

traceability: $(VENV)/.test ## writes docs/traceability.md from the tests' markers
	$(RUN) -m tests.traceability

screens: $(VENV)/.test browser ## draws the pictures of docs/screens again
	KAUNTA_SCREENS=$(CURDIR)/docs/screens $(RUN) -m pytest --share=all tests/browser/test_screens.py tests/browser/test_looking_back.py tests/browser/test_settings_pictures.py \
		tests/browser/test_counter_pictures.py
	$(RUN) -m tests.browser.pictures $(CURDIR)/docs/screens

lock: ## compiles requirements/*.in to *.txt with hashes; needs uv
	$(COMPILE) requirements/run.in --output-file requirements/run.txt
	$(COMPILE) requirements/test.in --constraint requirements/run.txt --output-file requirements/test.txt
	$(COMPILE) requirements/bench.in --constraint requirements/run.txt --output-file requirements/bench.txt
	$(COMPILE) requirements/build.in --constraint requirements/test.txt --output-file requirements/build.txt

# The rest is what the above stand on. A stamp tells that its lock file is installed; a newer lock file is installed
# over it. Kaunta itself is installed in place by the pinned build backend: nothing is fetched without a hash.

$(VENV)/.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "Kaunta needs Python 3.11 or newer: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' \
	    || { echo "This Python comes without venv (on Debian: apt-get install python3-venv)." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.venv requirements/run.txt requirements/build.txt pyproject.toml
	@echo "Installing what Kaunta needs …" >&2
	@$(PIP) --requirement requirements/run.txt --requirement requirements/build.txt
	@$(RUN) -m pip --disable-pip-version-check --quiet install --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.run requirements/test.txt
	@echo "Installing what the tests need …" >&2
	@$(PIP) --requirement requirements/test.txt
	@touch $@

$(PEERS)/.peers: requirements/bench.txt
	@echo "Installing the bench's peers …" >&2
	@$(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --only-binary :all: --requirement requirements/bench.txt
	@touch $@

browser: $(VENV)/.test
	@$(RUN) -m tests.chromium --install

pooler: $(VENV)/.test
	@$(RUN) -m tests.pgbouncer --install
