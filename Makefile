# Every target makes what it needs: a fresh clone, Python 3.11 and make are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOWEST := .venv-lowest
STAMP := $(VENV)/.installed

.PHONY: help demo test coverage docs test-faults test-production rehearsal check lowest format serve doctor clean

help:            ## what there is
	@grep -E '^[a-z-]+: .*##|^[a-z-]+:  *##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/'

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,dask,app,provenance]'
	@touch $(STAMP)

demo: $(STAMP)   ## the whole lifecycle on the sample world, offline
	$(BIN)/fittingroom demo

test: $(STAMP)   ## everything that passes without a GPU, network or server
	$(BIN)/python -m pytest -n 2 --dist loadfile

coverage: $(STAMP) ## the tests again, with the share of lines they reach; below its floor it fails
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov

docs: $(STAMP)   ## the guides and the library's reference as pages in site/; a warning is an error
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

test-faults: $(STAMP) ## kill, lock and unplug things (minutes; needs root for some, chromium, faketime)
	$(BIN)/python -m pytest -m faults tests/live

test-production: $(STAMP) ## the production parts natively (apt-get install postgresql redis-server)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[production]'
	$(BIN)/python -m pytest -m production tests/live

rehearsal: $(STAMP) ## an hour of operating it, in some 20 minutes: a table of what was expected and what came
	$(BIN)/python -m pytest -q -s -m rehearsal tests/live/test_rehearsal.py

check: $(STAMP)  ## lint, types (of the tests too), import contracts, dead code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture

lowest: $(STAMP) ## the lowest versions that pyproject.toml allows, installed and tried (some 20 minutes, 6 GB)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(LOWEST)
	$(BIN)/uv pip compile --quiet --resolution lowest-direct --all-extras --python $(BIN)/python pyproject.toml -o $(LOWEST)/lowest.txt
	$(BIN)/uv pip install --quiet --python $(LOWEST) -r $(LOWEST)/lowest.txt
	$(BIN)/uv pip install --quiet --python $(LOWEST) --no-deps -e .
	$(LOWEST)/bin/python -m pytest -n 2 --dist loadfile tests/base tests/cli

format: $(STAMP) ## rewrite the sources in the house style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

serve: $(STAMP)  ## the deployments, with schedules and triggers, and the Prefect UI
	$(BIN)/fittingroom serve

doctor: $(STAMP) ## what is installed, reachable, missing
	$(BIN)/fittingroom doctor

clean:           ## remove what the tools wrote (never the workspace)
	rm -rf $(VENV) $(LOWEST) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
