# Everything runs in a private .venv; on a fresh machine only python3 (3.11 to 3.14) and make are needed.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.installed
PYTEST := $(BIN)/python -m pytest -q -n auto

# Tests start Python some thousand times: half of each start would go into compiling what was compiled before.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo test test-full chaos check mypy pyright format bench wheel clean

help:
	@echo "make demo       run a generated workflow, kill it, resume it"
	@echo "make test       style, types and tests (under 10 minutes)"
	@echo "make test-full  the same and the long simulations"
	@echo "make chaos      three hosts on which much goes wrong, as root: SECONDS=1800 SEEDS=\"1 2 3\", or"
	@echo "                INSTANCES=10000: every fault in turn, and meanwhile so many with children on other hosts"
	@echo "make check      style and types alone"
	@echo "make format     mend style where a tool can"
	@echo "make bench      figures of this machine, with the kernel compiled as wheels bring it"
	@echo "make wheel      a wheel for this platform, with a compiled kernel, in dist/"
	@echo "make clean      remove the .venv and all caches"

demo: $(READY)
	@$(BIN)/python examples/demo.py

# Neighbours stay with one worker, which keeps what they share; who has nothing left takes from the other.
test: check
	$(PYTEST) --dist worksteal -m "not slow"

# The longest begin first (tests/conftest.py), and few are dealt out ahead: the workers end together.
test-full: test
	$(PYTEST) --maxschedchunk 1 -m slow

SECONDS ?= 300
SEEDS ?= 1 2 3
chaos: $(READY)
	@$(BIN)/python -m tests.hosts.chaos $(if $(INSTANCES),--orders $(INSTANCES),--seconds $(SECONDS) $(SEEDS))

check: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	@$(MAKE) --no-print-directory --jobs 2 mypy pyright

mypy pyright: $(READY)
	$(BIN)/$@

format: $(READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(READY)
	@$(BIN)/python -m benchmarks

wheel: $(READY)
	PLACET_COMPILE=1 $(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .

clean:
	rm -rf .venv build dist *.egg-info src/*.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Made again when the dependencies or the list of packages change; code changes need no new install.
$(READY): pyproject.toml setup.cfg
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' || \
		{ echo "placet: $(PYTHON) is missing or not 3.11 to 3.14; try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
		{ echo "placet: no virtual environment could be made; on Debian: apt install python3-venv" >&2; rm -rf .venv; exit 2; }
	@echo "installing Placet and its tools into .venv"
	@PYTHONWARNINGS="ignore:Editable installation" $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(READY)
