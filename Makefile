# Every target needs only Linux, Python >= 3.11, make and Go; the rest is installed below .venv, .venv-program and the user's cache.
STACK ?= alpha
TARGET ?=
PYTHON ?= python3
WORKERS ?= auto
export TARGET
# Compiled modules and rewritten assertions are kept below __pycache__: without them, each worker of `make check` makes them anew.
unexport PYTHONDONTWRITEBYTECODE

# The developers' environment, which editors find, and the program's, which Pulumi.yaml names.
VENV := .venv
PROGRAM_VENV := .venv-program
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed $(PROGRAM_VENV)/installed
ALTLAS := $(BIN)/altlas
# uv of this machine or, where there is none that is new enough, the pinned one.
UV := $(PYTHON) -m tools.uv
SYNC := $(UV) sync --quiet --frozen --no-progress --no-python-downloads --python "$$(command -v $(PYTHON))"
EXPORT := $(UV) export --quiet --frozen --no-header --no-annotate --no-emit-project

.DEFAULT_GOAL := help
.PHONY: help up down destroy status addons diff env tools install format check test test-data test-observability images test-images
.PHONY: prove matrix regressions scan benchmark schema lock clean

help: ## List what make can do
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: $(INSTALLED) ## Bring a stack up and wait until its services are ready (STACK=alpha, TARGET=sim|k3d|kubeconfig)
	@$(ALTLAS) up --stack $(STACK)

down: $(INSTALLED) ## Stop the cluster that `make up` started; its data stays
	@$(ALTLAS) down

destroy: $(INSTALLED) ## Remove everything that a stack owns from the cluster (STACK=alpha)
	@$(ALTLAS) destroy --stack $(STACK)

status: $(INSTALLED) ## Show which services of a stack run, and where (STACK=alpha)
	@$(ALTLAS) status --stack $(STACK)

addons: $(INSTALLED) ## Show which operators and definitions are pinned, and which are on the cluster
	@$(ALTLAS) addons

diff: $(INSTALLED) ## Show which settings alpha and beta decide differently
	@$(ALTLAS) diff alpha beta

env: $(INSTALLED) ## Print the environment for plain pulumi and kubectl, for a shell to evaluate
	@$(ALTLAS) env

tools: ## Find, download or build the pinned programs
	@$(PYTHON) -m tools ensure >/dev/null

install: $(INSTALLED) ## Install the pinned Python packages below .venv

format: $(INSTALLED) ## Format the code
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --quiet --fix .

check: $(INSTALLED) ## Format, lint, types and the fast tests
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/pytest -q -m "not sim and not e2e and not data and not gate and not scan" -n $(WORKERS) --dist worksteal

test: $(INSTALLED) tools ## Everything: check, then every test on the simulated cluster
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/python -m tests.suite -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder --evidence=.altlas/evidence.md

images: $(INSTALLED) ## Build and run the stand-in images here and show their figures (needs root on Debian)
	@$(BIN)/python -m tests.images

test-images: $(INSTALLED) ## Fail if one figure of the images is worse than its bound
	@$(BIN)/pytest -q -rs tests/images

test-data: $(INSTALLED) ## The drills of the data tier with real servers: failover, restores, figures
	@$(BIN)/pytest -q -n 2 --dist loadfile tests/data

test-observability: $(INSTALLED) ## Rules, configurations and a live alert, judged by the real programs of monitoring
	@$(BIN)/pytest -q tests/observability

prove: $(INSTALLED) ## Prove that exactly the declared traffic is possible, in both stacks
	@$(BIN)/python -m policy.prove

regressions: $(INSTALLED) ## Show which gates catch hundreds of security regressions, and false alarms
	@$(BIN)/python -m tests.policy.regressions

matrix: $(INSTALLED) ## Show the hardening matrix of both stacks
	@$(BIN)/python -m policy.matrix

scan: $(INSTALLED) ## Run the scanners over both stacks, the workflows and the pinned packages
	@$(BIN)/python -m policy.scan

benchmark: $(INSTALLED) tools ## Compare with kubectl in one run
	@$(BIN)/python -m benchmarks.platform

schema: $(INSTALLED) ## Write the JSON Schema of the stack files
	@$(ALTLAS) schema > docs/stack.schema.json

lock: ## Pin the Python packages again, with checksums
	@$(UV) lock --quiet --no-config --default-index https://pypi.org/simple
	@$(UV) lock --quiet --no-config --default-index https://pypi.org/simple --project tools/python/scanners
	@$(EXPORT) --only-group uv --output-file tools/python/uv.txt
	@$(EXPORT) --only-group backup --output-file images/backup/requirements.txt

clean: ## Remove what make has installed and made here; a running cluster is stopped first
	@if [ -x $(ALTLAS) ] && [ -d .altlas ]; then TARGET=sim $(ALTLAS) down --delete; fi
	@rm -rf .altlas scan-results $(VENV) $(PROGRAM_VENV) *.egg-info .mypy_cache .ruff_cache .pytest_cache

$(VENV)/installed: uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $$($(PYTHON) --version) is too old; install Python 3.11 or newer, or name one with PYTHON=<program>" >&2; exit 3; }
	@echo "Installing the Python packages into $(VENV) and $(PROGRAM_VENV) ..." >&2
	@$(SYNC)
	@touch $@

# Compiled: Pulumi starts a new interpreter for each preview, also where Python may not keep bytecode itself.
$(PROGRAM_VENV)/installed: $(VENV)/installed
	@UV_PROJECT_ENVIRONMENT=$(PROGRAM_VENV) $(SYNC) --no-default-groups --compile-bytecode
	@touch $@
