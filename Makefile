# Two commands on a fresh machine: make demo, make test. Both share make install.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# One thread a process: two processes with a pool of threads each would fight for the cores.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1

# Many tests wait for a process or a clock: three at a time keep two cores busy. Each third of the suite begins at once,
# so that those that wait, the first, run beside those that compute.
SPREAD ?= -n 3 --dist worksteal

.PHONY: install demo test test-fast lint format clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[demo,dev,telemetry]'
	touch $@

demo: install
	$(BIN)/python examples/demo.py

test: install
	$(BIN)/python -m pytest $(SPREAD)

test-fast: install
	$(BIN)/python -m pytest $(SPREAD) -m "not slow"

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info
