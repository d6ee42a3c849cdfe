# Everything that one types. Needs make and Python 3.11 or newer; `.venv` is made from the lock
# files. Settings: see the table in README.md, for example `PORT=8001 make run`.

PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
PY := $(VENV)/bin/python
# No network look-ups beyond what the lock file asks for; every file is held to its hash.
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes
RUN := $(VENV)/.run-installed
DEV := $(VENV)/.dev-installed
CLIENTS := .venv-clients
MLSERVER := .venv-mlserver

.DEFAULT_GOAL := help
.PHONY: help run test check bench clients mlserver

help: ## Say what there is.
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(firstword $(MAKEFILE_LIST))

run: $(RUN) ## Start everything and stay in the foreground; Ctrl-C stops it.
	@exec $(PY) -m portal.supervisor

test: $(DEV) ## The whole test suite, `make check` included.
	@$(MAKE) --no-print-directory check
	@$(PY) -m pytest

check: $(DEV) ## Formatting, lint, types, templates, missing migrations.
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy .
	$(PY) -m djlint --quiet --lint templates
	@$(PY) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run

bench: $(DEV) ## The benchmarks, as tables.
	@$(PY) -m benchmarks

clients: $(CLIENTS)/.installed ## Other people's clients of a model server, for tests that ask by them.

mlserver: $(MLSERVER)/.installed ## MLServer, for the benchmarks to measure beside Berth.

$(PY):
	@test -n "$(PYTHON)" || { echo "Berth needs Python 3.11 or newer: install it, or name it," \
		"for example 'make PYTHON=/opt/python3.12/bin/python3 run'." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) can't make virtual" \
		"environments: install its venv module (Debian and Ubuntu: apt install python3-venv)." >&2; exit 1; }
	@echo "Making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -c 'import os, site; open(os.path.join(site.getsitepackages()[0], "berth-checkout.pth"), "w").write(os.getcwd() + "\n" + os.path.join(os.getcwd(), "runtime") + "\n")'

# Environments of their own, from the lock files named after them.
.venv-%/.installed: requirements-%.lock | $(PY)
	@echo "Installing what $< names ..."
	@$(PY) -m venv .venv-$*
	@.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(RUN): requirements.lock | $(PY)
	@echo "Installing what requirements.lock names ..."
	@$(PIP) -r requirements.lock
	@touch $@

$(DEV): requirements-dev.lock | $(PY)
	@echo "Installing what requirements-dev.lock names ..."
	@$(PIP) -r requirements-dev.lock
	@touch $@ $(RUN)
