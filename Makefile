# Every target needs only Linux, Python >= 3.11, make and Go; the rest is installed below .venv, .venv-program and the user's cache.
STACK ?= alpha
PROFILE ?= alpha
TARGET ?=
PYTHON ?= python3
# One for each processor; `auto` would count cores, of which a virtual machine may say that it has one.
WORKERS ?= logical
export TARGET
# Compiled modules and rewritten assertions are kept below __pycache__: without them, each worker of `make check` makes them again.
unexport PYTHONDONTWRITEBYTECODE

# The developers' environment, which editors find, and the program's, which Pulumi.yaml names.
VENV := .venv
PROGRAM_VENV := .venv-program
LOADTESTS_VENV := .venv-loadtests
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed $(PROGRAM_VENV)/installed
ALTLAS := $(BIN)/altlas
# uv of this machine or, where there is none that is new enough, the pinned one.
UV := $(PYTHON) -m tools.uv
SYNC := $(UV) sync --quiet --frozen --no-progress --no-python-downloads --python "$$(command -v $(PYTHON))"
LINT := $(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet . && $(BIN)/mypy
PYTEST := $(BIN)/pytest -q
SUITE := $(BIN)/python -m tests.suite -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder --evidence=.altlas/evidence.md
EXPORT := $(UV) export --quiet --frozen --no-header --no-annotate --no-emit-project

.DEFAULT_GOAL := help
.PHONY: help up down destroy status addons diff env check test verify verify-all test-data test-node test-faults test-motion test-observability test-images
.PHONY: prove matrix regressions scan benchmark canary-gates availability-page capacity-page images install loadtest-local install-loadtests tools format schema component-pages schemas lock clean

help: ## List what make can do
	@awk '/^##@ /{printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## /{split($$0, part, /:.*## /); printf "  make %-20s%s\n", part[1], part[2]}' $(MAKEFILE_LIST)

##@ Every day
up: $(INSTALLED) ## Bring a stack up and wait until its services are ready (STACK=alpha, TARGET=sim|node|k3d|kubeconfig)
	@$(ALTLAS) up --stack $(STACK)

status: $(INSTALLED) ## Show which services of a stack run, and where (STACK=alpha)
	@$(ALTLAS) status --stack $(STACK)

down: $(INSTALLED) ## Stop the cluster that `make up` started; its data stays
	@$(ALTLAS) down

destroy: $(INSTALLED) ## Remove everything that a stack owns from the cluster (STACK=alpha)
	@$(ALTLAS) destroy --stack $(STACK)

diff: $(INSTALLED) ## Show which settings alpha and beta decide differently
	@$(ALTLAS) diff alpha beta

env: $(INSTALLED) ## Print the environment for plain pulumi and kubectl, for a shell to evaluate
	@$(ALTLAS) env

addons: $(INSTALLED) ## Show which operators and CRDs are pinned, and which are on the cluster
	@$(ALTLAS) addons

##@ Tests: none runs twice, verify leaves out what test has run
check: $(INSTALLED) ## Format, lint, types and the fast tests: a minute on 2 cores
	@$(LINT)
	@$(PYTEST) --tier=check -n $(WORKERS) --dist worksteal

test: $(INSTALLED) ## After make up: check, the whole program, and the life of a stack on the simulated cluster: 8 minutes on 2 cores
	@$(LINT)
	@$(SUITE) --tier=test

verify: $(INSTALLED) $(LOADTESTS_VENV)/installed tools ## All the rest: stores, monitoring, images, scanners, gates, real nodes: 58 minutes on 2 cores
	@$(SUITE) --tier=verify

verify-all: $(INSTALLED) $(LOADTESTS_VENV)/installed tools ## The same without samples: every mutant, every regression
	@$(SUITE) --tier=verify-all

test-data: $(INSTALLED) ## Only the stores with real servers: failover, restores, figures
	@$(PYTEST) -n 2 --dist loadfile tests/data

test-node: $(INSTALLED) ## Only real nodes: pods, traffic, policies, killed pods, growth, nothing left (needs root on Linux)
	@$(PYTEST) -rs tests/node

test-faults: $(INSTALLED) ## Only injected faults, all cases; goes on where it was ended or had no more time, and writes docs/reliability.md
	@$(PYTEST) -rs -n 2 --dist worksteal --all-faults tests/faults tests/e2e/test_journal_kills.py tests/e2e/test_secrets_in_outputs.py tests/data/test_full_volumes.py
	@$(PYTEST) -rs -p tests.faults.conftest --all-faults tests/node/platform/test_from_inside.py tests/node/platform/test_under_faults.py tests/node/platform/test_killed_pods.py
	@$(BIN)/python -m tests.faults.page > .altlas/reliability.md && mv .altlas/reliability.md docs/reliability.md
	@$(BIN)/python -m tests.faults.promises

test-motion: $(INSTALLED) ## Only what moves on sim: autoscalers, a lost zone, drains, canaries, by the real controllers; with its figures
	@$(PYTEST) -rs -n $(WORKERS) --dist loadfile tests/motion

test-observability: $(INSTALLED) ## Only monitoring: rules, configurations and a live alert, by the real programs
	@$(PYTEST) tests/observability

test-images: $(INSTALLED) ## Only the images: fail if one figure is worse than its bound (needs root on Debian)
	@$(PYTEST) -rs tests/images

##@ Judge
prove: $(INSTALLED) ## Prove that exactly the declared traffic is possible, in both stacks
	@$(BIN)/python -m policy.prove

matrix: $(INSTALLED) ## Show the hardening matrix of both stacks
	@$(BIN)/python -m policy.matrix

scan: $(INSTALLED) ## Run the scanners over both stacks, the workflows and the pinned packages
	@$(BIN)/python -m policy.scan

regressions: $(INSTALLED) ## Show which gates catch hundreds of security regressions, and false alarms
	@$(BIN)/python -m tests.policy.regressions

images: $(INSTALLED) ## Build and run the stand-in images here and show their figures (needs root on Debian)
	@$(BIN)/python -m tests.images

benchmark: $(INSTALLED) ## Compare with kubectl and helm in one run
	@$(BIN)/python -m benchmarks.platform

capacity-page: $(INSTALLED) ## Write docs/capacity.md: connections, memory, volumes and pods of both stacks, and their limits
	@$(ALTLAS) capacity alpha beta --page > docs/capacity.md

availability-page: $(INSTALLED) ## Write docs/availability.md: what each workload survives when nodes or zones are lost or drained
	@$(BIN)/python -m policy.availability alpha beta > docs/availability.md

canary-gates: $(INSTALLED) ## Write docs/canary-gates.md: which settings of a canary's gates decide well
	@$(BIN)/python -m benchmarks.canary_gates > docs/canary-gates.md

loadtest-local: $(INSTALLED) $(LOADTESTS_VENV)/installed ## Load the stand-ins on this machine: RPS, percentiles, pass or fail (PROFILE=alpha)
	@$(ALTLAS) loadtest local --profile $(PROFILE) --stand-ins --warm-up 3 --seconds 15

##@ Work on the project
install: $(INSTALLED) ## Install the pinned Python packages into .venv and .venv-program

install-loadtests: $(LOADTESTS_VENV)/installed ## Install Locust for `altlas loadtest` into .venv-loadtests

tools: ## Find, download or build the pinned programs
	@$(PYTHON) -m tools ensure >/dev/null

format: $(INSTALLED) ## Format the code
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --quiet --fix .

schema: $(INSTALLED) ## Write the JSON Schema of the stack files
	@$(ALTLAS) stack schema > docs/stack.schema.json

component-pages: $(INSTALLED) ## Write docs/components from the component classes
	@$(BIN)/python -m tests.documents.component_pages

schemas: $(INSTALLED) ## Write the schemas that `make test` validates all objects against (policy/schemas/kinds.json)
	@$(BIN)/python -m policy.schemas

lock: ## Pin the Python packages again, with checksums
	@$(UV) lock --quiet --no-config --default-index https://pypi.org/simple
	@$(UV) lock --quiet --no-config --default-index https://pypi.org/simple --project tools/python/scanners
	@$(UV) lock --quiet --no-config --default-index https://pypi.org/simple --project tools/python/object-store
	@$(EXPORT) --only-group uv --output-file tools/python/uv.txt
	@$(EXPORT) --only-group backup --output-file images/backup/requirements.txt

clean: ## Remove what make has installed and made here; a running cluster is stopped first
	@if [ -x $(ALTLAS) ] && [ -d .altlas ]; then TARGET=sim $(ALTLAS) down --delete; fi
	@rm -rf .altlas scan-results $(VENV) $(PROGRAM_VENV) $(LOADTESTS_VENV) *.egg-info .mypy_cache .ruff_cache .pytest_cache

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

$(LOADTESTS_VENV)/installed: $(VENV)/installed
	@UV_PROJECT_ENVIRONMENT=$(LOADTESTS_VENV) $(SYNC) --only-group loadtests
	@touch $@
