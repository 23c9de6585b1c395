PYTHON ?= python3
# The environment that viz, report and notebooks show, and serve serves.
ENV ?= demo
PORT ?= 5001
# A model of MLflow; by default the champion of the environment's data set, else the newest version.
MODEL ?=
# Runs that `make clean-runs` keeps.
KEEP ?= 5
YES ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help install demo data test spark-test fuzz-test kill-test concurrency-test disk-test lint docs mlflow viz report notebooks serve clean-runs lock clean

help:  ## show the targets
	@awk -F ':.*##' '/^[a-z-]+:.*##/ {printf "%-18s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements.lock pyproject.toml
	@echo "Installing into $(VENV) (about two minutes the first time) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps -e .
	@touch $@

data: $(READY)  ## fetch MovieLens 100K for the demo
	@$(BIN)/python -m longtail.demo movielens

demo: data  ## run every pipeline on MovieLens 100K and show the leaderboard
	@$(BIN)/kedro run --env demo
	@echo
	@echo "Look further:"
	@echo "  make report    the evaluation on one page"
	@echo "  make mlflow    parameters and metrics of every run, side by side"
	@echo "  make viz       the graph, with previews of tables and plots"
	@echo "  make notebooks the data, the models compared, one user followed"

# Tests run in parallel: threads of the libraries would oversubscribe the processors.
test: $(READY)  ## run the tests
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

spark-test: $(READY)  ## run cleaning and splitting on Spark too (needs Java 17)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e ".[spark]"
	@$(BIN)/python -m pytest tests/pipelines/test_engines.py $(SPARK_OPTIONS)

fuzz-test: $(READY)  ## read thousands of oddly written files
	@LONGTAIL_FUZZ_EXAMPLES=3000 $(BIN)/python -m pytest tests/pipelines/test_odd_inputs.py --hypothesis-show-statistics

kill-test: $(READY)  ## kill a run at every node, twice, and resume it each time
	@LONGTAIL_KILL_EVERY_NODE=1 $(BIN)/python -m pytest tests/test_killed_runs.py

concurrency-test: $(READY)  ## 20 pairs of whole runs at once on the same data, 20 on different data
	@OMP_NUM_THREADS=1 PYTHONPATH=. $(BIN)/python -m tests.concurrent_runs 20

disk-test: $(READY)  ## fill the disk at 16 levels and resume each run (needs root)
	@OMP_NUM_THREADS=1 PYTHONPATH=. $(BIN)/python -m tests.full_disks 16

lint: $(READY)  ## check style and types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

docs: $(READY)  ## build the documentation into build/docs
	@$(BIN)/sphinx-build -W --keep-going -n -q docs build/docs
	@echo "Open build/docs/index.html."

mlflow: $(READY)  ## open the runs in MLflow
	@$(BIN)/kedro runs

viz: $(READY)  ## open the graph in Kedro-Viz, of ENV (by default demo)
	@LONGTAIL_VIEWING=1 KEDRO_ENV=$(ENV) PYTHONWARNINGS="ignore:ORJSONResponse is deprecated" $(BIN)/kedro viz run --env $(ENV)

notebooks: $(READY)  ## open the notebooks in JupyterLab, of ENV (by default demo)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e ".[notebooks]"
	@KEDRO_ENV=$(ENV) $(BIN)/jupyter lab notebooks

serve: $(READY)  ## serve the hybrid of ENV over HTTP: PORT=5001, MODEL= another version
	@$(BIN)/kedro serve --env $(ENV) --port $(PORT) $(if $(MODEL),--model $(MODEL))

report: $(READY)  ## open the report of ENV (by default demo) in a browser
	@$(BIN)/kedro report --env $(ENV)

clean-runs: $(READY)  ## list versions of ENV older than the newest KEEP=5 runs; YES=1 removes them
	@$(BIN)/kedro clean-runs --env $(ENV) --keep $(KEEP) $(if $(YES),--yes)

install: $(READY)  ## install into .venv

lock:  ## resolve pyproject.toml anew into requirements.lock
	@rm -rf $(VENV)-lock && $(PYTHON) -m venv $(VENV)-lock
	@$(VENV)-lock/bin/python -m pip install -qq --upgrade pip
	@$(VENV)-lock/bin/python -m pip install -qq . --group dev
	@$(VENV)-lock/bin/python -m pip freeze --exclude longtail | sed 's/+cpu$$//' > requirements.lock
	@rm -rf $(VENV)-lock

clean:  ## remove the environment and all caches; data and runs stay
	@rm -rf $(VENV) build src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .viz
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
