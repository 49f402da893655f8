# Each target works on a machine that has make and Python 3.11 or newer; `make` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
INSTALL := $(PIP) install --require-hashes

NODE = { command -v npm && node -e "process.exit(parseInt(process.versions.node) < 20)"; } >/dev/null 2>&1 \
	|| $(INSTALL) -r requirements/node.txt

# What the environment holds; each file is newer than the locks it was installed from.
ENV_MADE := $(VENV)/.made
ENV_RUN := $(VENV)/.made-run
ENV_DEV := $(VENV)/.made-dev

.DEFAULT_GOAL := help
.PHONY: run test browser check bench drill schema explorer quickstart lock audit clean help

run: $(ENV_RUN) ## Start the server on ports 8000 and 8001; Ctrl-C drains and stops it
	@$(MAKE) --no-print-directory --keep-going explorer quickstart \
		|| echo "The explorer or the quickstart could not be built; the server starts without it." >&2
	@exec $(BIN)/sekisho serve all

# One process a core, two at least: many tests wait for a server. Each has databases of its own;
# given ones are shared, so that there is one process then.
CORES = cores=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$((cores > 2 ? cores : 2))
WORKERS := $(if $(SEKISHO_TEST_POSTGRES_URL)$(SEKISHO_TEST_REDIS_URL),0,$(shell $(CORES)))

test: $(ENV_DEV) ## Run the tests and judge coverage; PYTEST_ARGS="tests/users -x" runs a part
	$(BIN)/python -m pytest -m "not browser" $(if $(PYTEST_ARGS),$(PYTEST_ARGS),-n $(WORKERS) --dist worksteal --cov)

browser: $(ENV_DEV) explorer quickstart ## Run the tests that drive a browser (Chromium, or SEKISHO_BROWSER)
	@export SEKISHO_BROWSER="$${SEKISHO_BROWSER:-$$(command -v chromium || command -v chromium-browser)}"; \
	test -n "$$SEKISHO_BROWSER" || { echo "Chromium was not found; install it or set SEKISHO_BROWSER." >&2; exit 1; }; \
	exec $(BIN)/python -m pytest -m browser $(PYTEST_ARGS)

check: $(ENV_DEV) ## Format, lint, types, layers, dependencies, printed schema
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/sekisho schema print | diff -u graphql/schema.graphql -

bench: $(ENV_DEV) ## Measure the server; SMALL=1 for a short run
	$(BIN)/python -m bench

drill: $(ENV_DEV) ## Put two replicas through every failure; SMALL=1 for a short run
	$(BIN)/python -m drill

schema: $(ENV_DEV) ## Print the schema anew into graphql/schema.graphql
	$(BIN)/sekisho schema print > graphql/schema.graphql.new
	mv graphql/schema.graphql.new graphql/schema.graphql

explorer: $(ENV_RUN) ## Bundle GraphiQL (Node.js 20 or newer from PATH, else from PyPI)
	@$(NODE)
	$(BIN)/python bundling/build.py explorer

quickstart: $(ENV_RUN) ## Bundle the page that signs in with Hanko's components
	@$(NODE)
	$(BIN)/python bundling/build.py quickstart

# Pins that still fit are kept; LOCK_ARGS=--upgrade moves them all on.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock" $(LOCK_ARGS)

lock: $(ENV_DEV) ## Renew the locks from pyproject.toml; LOCK_ARGS=--upgrade for newer versions
	$(COMPILE) pyproject.toml -o requirements/run.txt
	$(COMPILE) pyproject.toml --extra aws -c requirements/run.txt -o requirements/aws.txt
	$(COMPILE) pyproject.toml --extra otel -c requirements/aws.txt -o requirements/otel.txt
	$(COMPILE) pyproject.toml --extra saml -c requirements/run.txt -o requirements/saml.txt
	$(COMPILE) --group build -c requirements/run.txt -o requirements/build.txt
	$(COMPILE) --group node -o requirements/node.txt
	$(COMPILE) pyproject.toml --group test --group check --group build --group lock \
		-c requirements/aws.txt -c requirements/otel.txt -c requirements/saml.txt \
		-c requirements/build.txt \
		-o requirements/dev.txt

audit: $(ENV_DEV) ## Ask PyPI for advisories about what is locked; writes dist/sbom.json
	mkdir -p dist
	$(BIN)/pip-audit --disable-pip --require-hashes -r requirements/run.txt \
		--format cyclonedx-json --output dist/sbom.json

clean: ## Remove all that make has made; the folder data/ stays
	rm -rf $(VENV) dist build explorer/node_modules quickstart/node_modules tests/peers/node_modules \
		app/explorer/static app/quickstart/static \
		.coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name about; do \
		printf '  make %-10s %s\n' "$$name" "$$about"; done

$(ENV_MADE):
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null \
		|| { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c "import venv, ensurepip" 2>/dev/null \
		|| { echo "This Python lacks venv; on Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(ENV_RUN): $(ENV_MADE) requirements/run.txt requirements/build.txt pyproject.toml
	$(INSTALL) -r requirements/run.txt -r requirements/build.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(ENV_DEV): $(ENV_RUN) requirements/dev.txt
	$(INSTALL) -r requirements/dev.txt
	@touch $@
