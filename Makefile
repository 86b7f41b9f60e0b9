# `make demo`, `make test`, `make lab`: each does all its set-up, once, in .venv, and is safe to run twice.
#
# `make test` runs what reads no clock in several processes, then what is marked `browser`, two at a time, and
# then, one at a time, what is marked `alone`. One of the last two that fails is run once more, and the report
# says so ("rerun test summary info"): one that needed it twice in five runs is mended, or moved to `make soak`.
#
# `make quick` is for every save: the first part without the rooms that start servers, processes or whole runs, and
# without the files that ask hundreds of studies, of worlds or of figures.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# nbval, which one test starts for itself, has each process that runs tests import for seconds.
PYTEST := $(BIN)/python -m pytest -p no:nbval --durations=20
TOGETHER := -m "not alone and not browser and not soak" -n 3 --dist worksteal
AGAIN := --reruns 1 --rerun-show-tracebacks
PAIRS := -m "browser and not alone and not soak" -n 2 --dist worksteal $(AGAIN)
NOTEBOOKS := $(wildcard notebooks/*.ipynb)
ROWS_03_which_model := -p rows 40 -p report_path ../build/notebooks/which_model.html
WHOLE := browser cli docs faults plan providers/test_certificates.py report run security sentinel/test_[bo]* \
	sentinel/test_ch* sentinel/test_command.py sentinel/test_notices.py sentinel/test_processes.py server/accounts \
	server/executions server/oidc server/streams server/test_* store/test_* \
	store/exchange/test_[b-z]* test_lab.py test_second_try.py weights widgets
HUNDREDS := charts/test_large_charts.py charts/test_same_numbers.py engine/test_refusal_worlds.py stats/test_coverage.py \
	stats/test_false_alarms.py summary/test_pairwise_coverage.py test_false_claims.py \
	verdict/test_false_differences.py verdict/test_sentences.py
# Tests start hundreds of interpreters: what they import is compiled once, whatever the shell says.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test quick lab soak bench docs lint clean

demo: $(VENV)/.user
	$(BIN)/labkit demo .

lab: $(VENV)/.user
	$(BIN)/labkit pull smollm2-135m gemma-3-270m
	$(BIN)/jupyter lab --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks/01_quickstart.ipynb

test: $(VENV)/.developer lint
	$(BIN)/labkit pull smollm2-135m gemma-3-270m
	$(PYTEST) $(TOGETHER)
	$(PYTEST) $(PAIRS)
	$(PYTEST) -m "alone and not soak" $(AGAIN)

quick: $(VENV)/.developer
	$(BIN)/ruff check .
	$(PYTEST) $(TOGETHER) $(patsubst %,'--ignore-glob=tests/%',$(WHOLE) $(HUNDREDS))

soak: PYTEST += --hypothesis-profile=at-random
soak: $(VENV)/.developer lint
	$(BIN)/labkit pull smollm2-135m gemma-3-270m
	$(PYTEST) $(TOGETHER)
	$(PYTEST) $(PAIRS)
	$(PYTEST) -m "alone or soak"

bench: $(VENV)/.developer
	for script in startup interactive planning store share arithmetic charts executor grid serve; do \
		echo "== $$script"; $(BIN)/python benchmarks/$$script.py || exit 1; done

docs: $(NOTEBOOKS:notebooks/%=build/notebooks/%)
	$(BIN)/python docs/build.py

# As many rows as show what a notebook shows; a notebook is run again when it was changed.
build/notebooks/%.ipynb: notebooks/%.ipynb | $(VENV)/.developer
	mkdir -p $(@D)
	$(BIN)/labkit pull smollm2-135m gemma-3-270m
	$(BIN)/labkit run $< $(ROWS_$*) -p lab_path ../build/notebooks/lab.duckdb --out $@ --no-html

lint: $(VENV)/.developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/.user: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --no-compile --quiet --constraint constraints.txt --editable ".[local,notebook,server]"
	touch $@

$(VENV)/.developer: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --no-compile --quiet --constraint constraints.txt --editable ".[local,notebook,server,postgres,docs,dev]"
	touch $(VENV)/.user $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "labkit needs Python 3.11 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
