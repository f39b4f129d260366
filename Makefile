# Everything a user or developer does from a checkout. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A process for each core; a lone test starts faster without.
PYTEST = $(BIN)/pytest -n auto --dist worksteal
STATE := var

.DEFAULT_GOAL := help
.PHONY: help run demo deb fleet install test servers check lint types layers docs dashboards format package nightly bench golden clean chart

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/wattledger: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("wattledger needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; set PYTHON=") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/developer: $(BIN)/wattledger
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group check --group test --group build --group deploy
	@touch $@

demo: $(BIN)/wattledger ## a simulated host with Prometheus, Alertmanager and, in containers, Grafana
	@$(BIN)/python -m deploy.compose.demo $(ARGS)

install: $(BIN)/wattledger ## create the virtual environment and install

run: $(BIN)/wattledger ## start the daemon: on NVML where a driver is, else on a simulated host
	@$(BIN)/wattledger run --state-dir $(STATE) $(ARGS)

servers: ## install the real servers that tests use (apt, as root); elsewhere those tests are skipped
	@sh tests/install_servers.sh

test: $(VENV)/developer servers ## set up what tests need and run them
	@$(PYTEST) -m "not nightly" $(ARGS)

nightly: $(VENV)/developer servers ## the long suites too
	@$(PYTEST) $(ARGS)

lint:
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types:
	@$(BIN)/mypy

layers:
	@$(BIN)/lint-imports

check: $(VENV)/developer lint types layers ## format, lint, types, import directions

format: $(VENV)/developer ## put the code into its format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(BIN)/wattledger ## regenerate docs/metrics.md
	@$(BIN)/python -m wattledger.exporter.metric_docs > docs/metrics.md

dashboards: $(VENV)/developer ## regenerate deploy/grafana/dashboards
	@$(BIN)/python -m deploy.grafana.make

deb: ## build dist/wattledger_VERSION_ARCH.deb, on Debian or Ubuntu
	@deploy/debian/build

fleet: $(VENV)/developer servers ## measure 100 to 10,000 GPUs in real engines, and write the tables of docs/fleet.md
	@$(BIN)/python -m tests.fleet $(or $(ARGS),--write)

chart: $(BIN)/wattledger ## bring the Helm chart's rules and dashboards up to date
	@deploy/helm/sync

package: $(VENV)/developer ## build sdist and wheel, and try the wheel in a clean environment
	@sh tests/try_package.sh $(BIN)/python

bench: $(VENV)/developer ## the budgets, against nvitop-exporter on the same test double in the same run
	@$(PYTHON) -m venv --clear $(VENV)/bench
	@$(VENV)/bench/bin/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@$(VENV)/bench/bin/python -m pip install --quiet --disable-pip-version-check . --group bench
	@$(BIN)/python -m tests.bench --python $(CURDIR)/$(VENV)/bench/bin/python $(ARGS)

clean: ## remove what was built
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
