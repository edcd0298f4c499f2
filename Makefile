# `make help` tells what can be done here; the README says more.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PY := .venv/bin/python
# The first Python that is new enough; PYTHON=/path/to/one chooses another.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done)
COMPILE := $(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.PHONY: help setup run test lint fmt bench soak reset lock python base dev

help:  ## say what can be done
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' Makefile

setup: dev  ## make the environment in .venv from the locked requirements

run: base  ## start everything and say where it is; Ctrl-C stops it (PORT, DATABASE_URL, REDIS_URL override)
	@$(PY) -m identity_project.launcher run

test: dev  ## run every test, those in the browser included
	@$(PY) -m tests.chromium
	@$(PY) -m pytest -n 2

lint: dev  ## check style, types, settings, migrations, templates and locks
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(PY) -m mypy
	@$(PY) manage.py check --fail-level WARNING
	@$(PY) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	@$(PY) requirements/check.py

fmt: dev  ## rewrite the code in the project's style
	@$(PY) -m ruff check --fix
	@$(PY) -m ruff format

bench: dev  ## measure, beside peers, on data made for it
	@VAR_DIR=var/bench $(PY) -m identity_project.launcher with $(PY) -m benchmarks

soak: dev  ## run the proofs that take minutes
	@$(PY) -m tests.chromium
	@$(PY) -m pytest -n 2 -m soak

reset: base  ## delete the database and all else of ours under var/ (asks; FORCE=1 does not)
	@$(PY) -m identity_project.launcher reset $(if $(FORCE),--force)

lock: dev  ## lock anew what requirements/*.in ask for
	@$(COMPILE) requirements/base.in -o requirements/base.txt
	@$(COMPILE) -c requirements/base.txt requirements/dev.in -o requirements/dev.txt

python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed and $(if $(PYTHON),$(PYTHON) does not serve,none is here):" \
			"install it (apt-get install python3), or name one as PYTHON=/path/to/python3." >&2; exit 1; }

base dev: python
	@$(PYTHON) -m identity_project.bootstrap $@
