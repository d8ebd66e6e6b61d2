# `make demo` and `make test` are all a newcomer needs; each makes .venv and installs what it lacks.

PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
VENV := .venv
BIN := $(VENV)/bin
DATA ?=
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: help demo test lint bench bench-train reproduce clean
.DEFAULT_GOAL := help

help:
	@echo "make demo       audit a small data set with a known story; needs the core install only"
	@echo "make test       ruff, mypy and pytest"
	@echo "make lint       ruff and mypy"
	@echo "make bench      the benchmarks, as ratios measured in one run"
	@echo "make bench-train  a LoRA fit of SmolLM2 on 500 real pairs, scored by plain transformers; some 20 minutes"
	@echo "make reproduce  the published claims, one script each"

demo: $(VENV)/.core
	$(BIN)/dehusk demo --out dehusk-demo

# A worker a core: small tensors on two threads in each of two workers take four times as long.
test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# DATA is a folder of public releases (see benchmarks/real_data.py); what needs it is skipped without.
bench: $(VENV)/.dev
	$(BIN)/python benchmarks/mining.py --out benchmarks/results/mining.md
	$(BIN)/python benchmarks/audit.py --out benchmarks/results/audit.md
	$(BIN)/python benchmarks/scoring.py $(wildcard $(DATA)/preference/arena_bench_v1_scored.parquet) \
		--out benchmarks/results/scoring.md
	@if [ -d "$(DATA)" ]; then set -x; \
		$(BIN)/python benchmarks/features.py $(DATA)/preference/alpaca_eval_vs_davinci003.parquet chosen; \
		$(BIN)/python benchmarks/real_data.py $(DATA) --out benchmarks/results/real_data.md; \
		$(BIN)/python benchmarks/reward_models.py $(DATA) --out benchmarks/results/reward_models.md; \
		$(BIN)/python benchmarks/forecast.py $(DATA) --seeds 100 --out benchmarks/results/forecast.md; \
		$(BIN)/python benchmarks/training_runs.py $(DATA) --out benchmarks/results/training_runs.md; \
		$(BIN)/python benchmarks/planted_head.py $(DATA) --out benchmarks/results/planted_head.md; \
		$(BIN)/python benchmarks/trained_head.py $(DATA) --out benchmarks/results/trained_head.md; \
		$(BIN)/python benchmarks/certify.py $(DATA) --out benchmarks/results/certify.md; \
	else echo "the benchmarks on real data need DATA=FOLDER"; fi

bench-train: $(VENV)/.dev
	@test -d "$(DATA)" || { echo "bench-train needs DATA=FOLDER"; exit 1; }
	$(BIN)/dehusk models smollm2
	$(BIN)/python benchmarks/train.py $(DATA) --out benchmarks/results/train.md

# Results go to benchmarks/results; the embeddings are kept in the user's cache, so a second run is quick.
reproduce: $(VENV)/.dev
	@test -d "$(DATA)" || { echo "the claims are reproduced on public releases: make reproduce DATA=FOLDER"; exit 1; }
	$(BIN)/dehusk models minilm
	$(BIN)/dehusk models smollm2
	@set -e; for claim in saturation length ranking selection; do echo "== $$claim"; \
		$(BIN)/python -m dehusk.experiments.$$claim $(DATA) --out benchmarks/results; done

clean:
	rm -rf $(VENV) dehusk-demo

$(VENV)/.core: pyproject.toml | $(BIN)/python
	$(PIP) install --editable .
	@touch $@

# torch first and by version: asked for without one, some indexes give a build with gigabytes of GPU libraries.
$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(PIP) install torch==2.13.0
	$(PIP) install --editable '.[dev,models,train]'
	@touch $@ $(VENV)/.core

# A half-made environment (no ensurepip, ctrl-C) is removed, so that the next try starts afresh.
$(BIN)/python:
	@test -n "$(PYTHON)" && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "dehusk needs Python 3.11 or newer. Try: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
