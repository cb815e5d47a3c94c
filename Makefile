# Needs git, make and Python 3.11 or newer, and nothing else: every tool is installed under .venv and .venvs.
#
#   .venv                      the tap (editable), its tests, linters and uv
#   .venvs/NAME/bin/           meltano, singer-tools, the extractors tap-jsonl and tap-postgres, the loaders
#                              target-csv, target-duckdb, target-jsonl, target-postgres, and dbt: one
#                              environment each, because their
#                              requirements exclude each other's; for make bench alone also airbyte-cdk
#                              and dlt
#   .venvs/field/NAME/bin/     the loaders, extractors and schedulers of make field alone
#
# ARGS is passed on: make test ARGS='-k bookmark -x'

PYTHON ?= python3
ARGS ?=

PY := .venv/bin/python
UV := .venv/bin/uv
PINS := requirements/constraints.txt
LOADERS := target-csv target-duckdb target-jsonl target-postgres
EXTRACTORS := tap-jsonl tap-postgres
TOOLS := meltano singer-tools $(EXTRACTORS) $(LOADERS)
BASELINES := airbyte-cdk dlt
QUICK := tests/test_layers.py tests/test_streams.py tests/vitally_api tests/state tests/sync tests/target/test_planning.py
FIELD := $(patsubst requirements/field/%.in,%,$(wildcard requirements/field/*.in))
PAGES := zensical
DASHBOARD := dashboard
DBT := dbt
WAREHOUSES := dbt-snowflake dbt-bigquery dbt-fusion

# The Python of the loaders and baselines. Not all of their pinned releases have wheels for the newest Pythons, and
# they are separate programs anyway; where PYTHON is too new, uv looks for another one.
LOADER_PYTHON ?= $(shell $(PYTHON) -c 'import sys; v = sys.version_info; print(sys.executable if (3, 11) <= v < (3, 14) else ">=3.11,<3.14")' 2>/dev/null)

# The tests and the demo find the programs they run by these names.
export MELTANO ?= $(CURDIR)/.venvs/meltano/bin/meltano
export SINGER_CHECK_TAP ?= $(CURDIR)/.venvs/singer-tools/bin/singer-check-tap
export TAP_JSONL ?= $(CURDIR)/.venvs/tap-jsonl/bin/tap-jsonl
export TAP_POSTGRES ?= $(CURDIR)/.venvs/tap-postgres/bin/tap-postgres
export TARGET_CSV ?= $(CURDIR)/.venvs/target-csv/bin/target-csv
export TARGET_DUCKDB ?= $(CURDIR)/.venvs/target-duckdb/bin/target-duckdb
export TARGET_JSONL ?= $(CURDIR)/.venvs/target-jsonl/bin/target-jsonl
export TARGET_POSTGRES ?= $(CURDIR)/.venvs/target-postgres/bin/target-postgres

# Tests start hundreds of programs: each would compile all that it imports, where a machine forbids to keep that.
unexport PYTHONDONTWRITEBYTECODE

# What dbt leaves behind stays out of the package; nothing is sent anywhere.
export DBT_TARGET_PATH := $(CURDIR)/build/dbt
export DBT_LOG_PATH := $(CURDIR)/build/dbt
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export VITALLY_DUCKDB_PATH ?= $(CURDIR)/output/warehouse.duckdb
RUN_DBT := .venvs/dbt/bin/dbt

INSTALLED := .venv/.installed
TOOLS_INSTALLED := $(TOOLS:%=.venvs/%/.installed)
BASELINES_INSTALLED := $(BASELINES:%=.venvs/%/.installed)
FIELD_INSTALLED := $(FIELD:%=.venvs/field/%/.installed)
DASHBOARD_INSTALLED := $(DASHBOARD:%=.venvs/%/.installed)
PAGES_INSTALLED := $(PAGES:%=.venvs/%/.installed)
DBT_INSTALLED := $(DBT:%=.venvs/%/.installed)
WAREHOUSES_INSTALLED := $(WAREHOUSES:%=.venvs/%/.installed)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install tools lint style types dependencies workflows spelling format test journeys quick demo dbt dashboard sql \
	warehouses bench soak field audit docs site build pin clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: $(INSTALLED) ## install tap, target and everything their development needs into .venv

tools: $(TOOLS_INSTALLED) ## install Meltano, its extractors and its loaders into .venvs

lint: style types dependencies workflows spelling ## run every static check

style: $(INSTALLED) ## check rules and format of the code
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: $(INSTALLED) ## check the types
	$(PY) -m mypy

dependencies: $(INSTALLED) ## check that what is imported is what is declared
	.venv/bin/deptry singer_command tap_vitally target_vitally vitally_api

workflows: $(INSTALLED) ## check the workflows and the other declarative files
	.venv/bin/zizmor --quiet --offline .github
	.venv/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	.venv/bin/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	.venv/bin/check-jsonschema --builtin-schema vendor.github-issue-forms \
		$(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
	$(if $(wildcard meltano.yml),.venv/bin/check-jsonschema --builtin-schema vendor.meltano meltano.yml)

spelling: $(INSTALLED) ## check the spelling
	.venv/bin/typos

format: $(INSTALLED) ## mend what ruff can mend
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

quick: lint ## lint, and test what needs neither the whole tap nor the loaders: under a minute
	$(PY) -m pytest --numprocesses auto $(QUICK) $(ARGS)

test: $(INSTALLED) $(TOOLS_INSTALLED) $(DBT_INSTALLED) ## run the tests
	$(PY) -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder -m 'not journey' $(ARGS)

journeys: $(INSTALLED) $(TOOLS_INSTALLED) $(DBT_INSTALLED) $(PAGES_INSTALLED) $(DASHBOARD_INSTALLED) ## follow README and docs step by step in clones and projects, and look at the site in Chromium
	$(PY) -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder -m journey $(ARGS)

demo: $(INSTALLED) .venvs/meltano/.installed .venvs/target-duckdb/.installed $(DBT_INSTALLED) ## go from a sandbox to a warehouse, to answers, and back
	$(PY) -m demo $(ARGS)

dbt: $(DBT_INSTALLED) ## build the dbt package on output/warehouse.duckdb, or on VITALLY_DUCKDB_PATH
	$(RUN_DBT) build --project-dir dbt --profiles-dir dbt --vars '{vitally_schema: main}' $(ARGS)

dashboard: $(DASHBOARD_INSTALLED) ## draw the answers as one page with plots, output/dashboard.html
	.venvs/dashboard/bin/python -m dashboard $(ARGS)

sql: $(DBT_INSTALLED) ## check the SQL of the dbt package
	cd dbt && ../.venvs/dbt/bin/sqlfluff lint --disable-progress-bar models

warehouses: $(INSTALLED) $(DBT_INSTALLED) .venvs/target-duckdb/.installed $(WAREHOUSES_INSTALLED) ## build the dbt package on emulators of Snowflake and BigQuery
	$(PY) -m pytest warehouses --timeout 1200 $(ARGS)

bench: $(INSTALLED) $(BASELINES_INSTALLED) $(DBT_INSTALLED) ## measure
	$(PY) -m benchmarks $(ARGS)

soak: $(INSTALLED) ## run for long under faults
	$(PY) -m soak $(ARGS)

field: $(INSTALLED) $(TOOLS_INSTALLED) $(FIELD_INSTALLED) ## run loaders, extractors and schedulers of others, and record what they do (network)
	$(PY) -m field $(ARGS)

audit: $(INSTALLED) ## look for known vulnerabilities in the pinned releases (network)
	.venv/bin/pip-audit --disable-pip --no-deps --requirement $(PINS)

docs: $(INSTALLED) ## write the generated parts of the documentation
	$(PY) -m scripts.readme $(ARGS)

site: $(PAGES_INSTALLED) ## build the pages below docs/ as a site, build/site
	.venvs/zensical/bin/zensical build --strict

build: $(INSTALLED) ## build the distributions and run the wheel in an environment of its own
	rm -rf dist
	$(UV) build --quiet --build-constraints $(PINS)
	$(UV) venv --quiet --clear --python $(PY) .venvs/wheel
	$(UV) pip install --quiet --python .venvs/wheel/bin/python --constraints $(PINS) dist/*.whl
	.venvs/wheel/bin/tap-vitally --version
	.venvs/wheel/bin/tap-vitally --discover > /dev/null

pin: .venv/.uv ## resolve requirements/*.txt anew
	$(UV) pip compile $(PIN) --group dev pyproject.toml --output-file $(PINS)
	for name in $(TOOLS) $(BASELINES) $(PAGES) $(DBT) $(DASHBOARD) $(WAREHOUSES); do \
		$(UV) pip compile $(PIN) requirements/$$name.in --output-file requirements/$$name.txt || exit 1; \
	done
	for name in $(FIELD); do \
		instead=requirements/field/$$name.override; \
		$(UV) pip compile $(PIN) requirements/field/$$name.in $$([ ! -e $$instead ] || echo --override $$instead) \
			--output-file requirements/field/$$name.txt || exit 1; \
	done

PIN := --quiet --upgrade --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	--no-annotate --custom-compile-command 'make pin'

clean: ## remove everything that can be made again
	rm -rf .venv .venvs .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'Python 3.11 or newer is needed, and "$(PYTHON)" is not. Name one: make PYTHON=python3.12' >&2; \
		exit 1; \
	}
	$(PYTHON) -m venv --clear .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --constraint $(PINS) uv
	@touch $@

$(INSTALLED): pyproject.toml $(PINS) | .venv/.uv
	$(UV) pip install --quiet --python $(PY) --constraints $(PINS) --build-constraints $(PINS) \
		--editable . --group dev
	@touch $@

$(TOOLS_INSTALLED) $(BASELINES_INSTALLED) $(PAGES_INSTALLED) $(DBT_INSTALLED) $(DASHBOARD_INSTALLED) $(WAREHOUSES_INSTALLED): .venvs/%/.installed: requirements/%.txt | .venv/.uv
	$(UV) venv --quiet --clear --python '$(LOADER_PYTHON)' .venvs/$*
	$(UV) pip install --quiet --python .venvs/$*/bin/python --build-constraints $(PINS) --requirement $<
	@touch $@

# Without dependencies: the list is whole, and names other releases than some of the packages ask for.
$(FIELD_INSTALLED): .venvs/field/%/.installed: requirements/field/%.txt | .venv/.uv
	$(UV) venv --quiet --clear --python '$(LOADER_PYTHON)' .venvs/field/$*
	$(UV) pip install --quiet --no-deps --python .venvs/field/$*/bin/python --build-constraints $(PINS) --requirement $<
	@touch $@
