# make demo    everything on this machine, on real footage, with one command
# make test    lint, types, import rules, the page's own checks, pytest
# make web     build the page                make bench   measurements
# make lint    lint, types, import rules     make lock    requirement files anew
# make clean   remove what was built; the demo's data too
# make environment-training            PyTorch, in an environment of its own: .venv/training
# make train DATA=… RUN=… [RECIPE=…] [OPTIONS=…]  train our own detector, or go on with a run
#
# Needs Python ≥ 3.11 with venv, make and git. Finished steps leave a stamp in .venv/stamps/ and are skipped.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.SUFFIXES:
.NOTPARALLEL:

VENV := .venv
PYTHON := $(VENV)/bin/python
STAMPS := $(VENV)/stamps
TRAINING := $(VENV)/training
RECIPE ?= standard
WEB := cloud/web
MODULES := $(WEB)/node_modules/.package-lock.json
PAGE := $(WEB)/dist/index.html
PIP := $(PYTHON) -m pip --disable-pip-version-check -qq
WEB_SOURCES := $(shell find $(WEB) -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -path '*/tests/*' 2>/dev/null | sed 's/ /\\ /g')
WITH_NODE = PATH="$$("$(CURDIR)/$(PYTHON)" -m cloud.embedded.nodejs "$(CURDIR)/.cache/node"):$$PATH"

.PHONY: demo test check lint web bench train lock clean environment environment-dev environment-training

demo: environment web
	@exec $(PYTHON) -m cloud.demo

test: environment-dev $(PAGE) $(STAMPS)/system
	@.ci/check

lint: environment-dev
	@.ci/check lint

check: lint

web: $(PAGE)

bench: environment-dev
	@failed=; for bench in $$(grep -l __main__ tests/benches/[a-z]*.py); do \
	  echo "== $$bench"; nice $(PYTHON) -m "$$(echo "$${bench%.py}" | tr / .)" --json || failed="$$failed $$bench"; \
	done; [ -z "$$failed" ] || { echo "!! FAILED:$$failed" >&2; exit 1; }

train: environment-training
	@[ -n "$(DATA)" ] && [ -n "$(RUN)" ] || { \
	  echo "name the folder of the sets and one for the run: make train DATA=/path/to/sets RUN=/path/to/run" >&2; exit 2; }
	@exec $(TRAINING)/bin/python -m models.training train --data "$(DATA)" --run "$(RUN)" --recipe "$(RECIPE)" $(OPTIONS)

environment: $(STAMPS)/requirements $(STAMPS)/project

environment-dev: $(STAMPS)/requirements-dev $(STAMPS)/project

environment-training: environment-dev $(STAMPS)/training

$(STAMPS)/venv:
	@test -x $(PYTHON) && $(PYTHON) -m pip --version >/dev/null 2>&1 || { \
	  for python in "$$PYTHON3" python3 python3.14 python3.13 python3.12 python3.11; do \
	    test -n "$$python" && command -v "$$python" >/dev/null 2>&1 || continue; \
	    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	    "$$python" -c 'import venv, ensurepip' 2>/dev/null || { lacking="$$python"; continue; }; \
	    chosen="$$python"; break; \
	  done; \
	  if [ -z "$$chosen" ] && [ -n "$$lacking" ]; then \
	    echo "$$lacking has no venv: install it (Debian and Ubuntu: apt-get install python3-venv), then try again" >&2; exit 1; fi; \
	  if [ -z "$$chosen" ]; then \
	    echo "Python 3.11 or newer is needed and was not found on the path; name one with PYTHON3=/path/to/python3" >&2; exit 1; fi; \
	  echo "Making the environment with $$($$chosen --version)"; \
	  rm -rf $(VENV) && "$$chosen" -m venv $(VENV); }
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/requirements: requirements.txt $(STAMPS)/venv
	@echo "Installing what it runs on (hashed)"
	@$(PIP) install --require-hashes -r requirements.txt
	@touch $@

$(STAMPS)/requirements-dev: requirements-dev.txt $(STAMPS)/venv
	@echo "Installing what it is tested with (hashed)"
	@$(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@ $(STAMPS)/requirements

# Its interpreter sees all that is in the main environment, which must not see PyTorch. Where PyTorch was installed otherwise than from
# the file (with CUDA, say), `touch .venv/stamps/training` keeps it. A wheel among pip's own links goes before the index, which pip
# itself prefers, since an index tells hashes: its wheel for Linux is one for CUDA.
$(STAMPS)/training: requirements-training.txt $(STAMPS)/venv
	@echo "Installing what our own detector is trained with (hashed)"
	@rm -rf $(TRAINING) && $(PYTHON) -m venv --without-pip $(TRAINING)
	@awk '/^[a-z]/ { kept = /^torch==/ } kept' requirements-training.txt | sed '$$s/ \\$$//' > $(TRAINING)/torch.txt
	@$(PIP) --python $(TRAINING)/bin/python install --no-index --no-deps --require-hashes -r $(TRAINING)/torch.txt 2>$(TRAINING)/torch.log || { \
	  ! grep -q "DO NOT MATCH THE HASHES" $(TRAINING)/torch.log || { cat $(TRAINING)/torch.log >&2; exit 1; }; }
	@$(PIP) --python $(TRAINING)/bin/python install --no-deps --require-hashes -r requirements-training.txt || { \
	  echo "PyTorch can't be installed here. Its wheel for processors alone, in a folder, is enough: PIP_FIND_LINKS=/that/folder make environment-training" >&2; exit 1; }
	@main="$$($(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"; \
	  own="$$($(TRAINING)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"; \
	  echo "import site; site.addsitedir('$$main')" > "$$own/main.pth"
	@$(TRAINING)/bin/python -c 'import torch' || { \
	  echo "This PyTorch is one for CUDA, whose libraries are not here. For processors alone: PIP_FIND_LINKS=/folder/of/its/wheel make environment-training" >&2; \
	  echo "For a GPU (several GB): $(PYTHON) -m pip --python $(TRAINING)/bin/python install torch==$$(sed -n 's/^torch==\([^ ]*\) .*/\1/p' requirements-training.txt) && touch $@" >&2; \
	  exit 1; }
	@touch $@

$(STAMPS)/project: pyproject.toml $(STAMPS)/venv | $(STAMPS)/requirements
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(MODULES): $(WEB)/package-lock.json $(WEB)/package.json | environment
	@echo "Installing what the page is built with"
	@cd $(WEB) && $(WITH_NODE) npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(PAGE): $(MODULES) $(WEB_SOURCES)
	@echo "Building the page"
	@cd $(WEB) && $(WITH_NODE) npm run --silent build -- --logLevel warn
	@touch $@

$(STAMPS)/system: .ci/system-parts
	@.ci/system-parts && touch $@

lock:
	@test -x .cache/lock/bin/uv || { $(PYTHON) -m venv .cache/lock && .cache/lock/bin/python -m pip --quiet install uv; }
	@.cache/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --all-extras --group build pyproject.toml -o requirements.txt
	@.cache/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --all-extras --group dev pyproject.toml -o requirements-dev.txt
	@.ci/lock-training .cache/lock/bin/uv

clean:
	@rm -rf $(VENV) .demo .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@rm -rf $(WEB)/node_modules $(WEB)/dist *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
