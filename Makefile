# Two commands on a fresh machine with Python 3.10 or newer: `make demo` and `make test`.

# The newest Python that has wheels of everything (slicer-core: 3.11 and 3.12), else whatever python3 is.
PYTHON ?= $(shell for python in python3.12 python3.11 python3; do \
	$$python -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$python && break; done)
# What pip is asked for; options are allowed, to choose a CPU or a CUDA build (README.md, "Choosing PyTorch").
TORCH ?= torch==2.13.0
# Test processes side by side; each takes 1 GB or so.
JOBS ?= 2
# The launcher of the Slicer that `make test-slicer` runs: in the home directory, else on the path.
SLICER ?= $(firstword $(wildcard $(HOME)/slicer-5.12/xslicer) Slicer)
# The Slicer that the archive of `make package` is for, as major.minor.
SLICER_VERSION ?= 5.12

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test test-cohort test-slicer screenshots check package clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /make \1	/p' Makefile | expand -t 16

demo: $(READY)  ## reconstruct a phantom and a real heart: pictures and a Slicer scene in demo/
	$(BIN)/python scripts/demo.py

test: check  ## what check does, and all tests that need no Slicer
	$(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile

test-cohort: $(READY)  ## 200 mixed cases, workers killed at random, two interrupts: 20 minutes
	rm -rf .cohort
	$(BIN)/python Testing/backend/batch/drill.py .cohort

test-slicer:  ## the tests that run inside the application, SLICER=its launcher
	$(or $(PYTHON),python3) Testing/application/run.py --slicer $(SLICER)

screenshots: $(READY)  ## the README's pictures of the application, SLICER=its launcher
	$(BIN)/python scripts/screenshots.py --slicer $(SLICER)

check: $(READY)  ## lint, format, types, and which folder may import which
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

package:  ## an archive in dist/ that the Extensions Manager of Slicer installs
	$(or $(PYTHON),python3) scripts/package.py --slicer $(SLICER_VERSION)

clean:  ## remove the virtual environment and what the other targets made
	rm -rf $(VENV) demo dist .cohort .pytest_cache .hypothesis .ruff_cache .mypy_cache

# PyTorch comes first and alone, so that the second step finds it installed and leaves it as it is.
$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.10 or newer with venv found: install one, or name it with PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@
