# Each target sets up .venv by itself when needed: `make quickstart` on a new machine is enough.
# Another interpreter: `make PYTHON=python3.12 test`.

SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c '$(SUPPORTED)' 2>/dev/null && echo "$$p" && break; done)

VENV := .venv/bin/python
READY := .venv/.ready
UNFINISHED := .venv/.unfinished

.PHONY: quickstart test slow lint format bench clean
.DEFAULT_GOAL := quickstart

quickstart: $(READY)  ## collect, keyframe, train, evaluate and report three tasks
	$(VENV) -m robomtl quickstart --out runs/quickstart

test: $(READY)  ## everything but the slow tests
	$(VENV) -m pytest -n auto --maxprocesses 8 --dist worksteal --durations 10

slow: $(READY)  ## the slow tests alone
	$(VENV) -m pytest -m slow

# Types are checked in the installed package, which is the only place that has all wings in it.
lint: $(READY)  ## style, types and import floors
	$(VENV) -m ruff check .
	$(VENV) -m ruff format --check .
	rm -rf build
	$(VENV) -m pip install --quiet --no-deps --no-build-isolation --target build/installed .
	cd build/installed && MYPYPATH=. ../../$(VENV) -m mypy --config-file ../../pyproject.toml \
		--cache-dir ../../.mypy_cache -p robomtl
	$(VENV) -m pytest -q tests/house/test_import_floors.py

format: $(READY)  ## rewrite the code in the project's style
	$(VENV) -m ruff check --fix .
	$(VENV) -m ruff format .

bench: $(READY)  ## medians of every speed that the project promises
	$(VENV) -m benchmarks

clean:  ## everything that the other targets made, except runs/
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

# A first installation that was interrupted is made anew; a finished one is brought up to date.
# A .venv that was there before is used as it is.
$(READY): pyproject.toml constraints.txt robomtl/__init__.py
	@test -n "$(PYTHON)" || { echo "robomtl needs Python 3.11, 3.12 or 3.13:" \
		"install one, or name it with make PYTHON=/path/to/python" >&2; exit 1; }
	@if [ -e $(UNFINISHED) ] || [ ! -x $(VENV) ]; then \
		rm -rf .venv && mkdir .venv && touch $(UNFINISHED) && $(PYTHON) -m venv .venv; fi
	$(VENV) -m pip install --constraint constraints.txt --editable '.[dev]'
	@rm -f $(UNFINISHED) && touch $@
