# The same few targets for people, hooks and CI. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
LOCK := constraints.txt

# base: what `promotion` alone needs; all: also train and the tools (one environment for everything).
WITH ?= all
# A package index with CPU builds of torch, given by you; empty: the torch of the lock, whose CUDA libraries are large.
# What was chosen once is remembered in the environment; `make clean` forgets it.
TORCH_INDEX ?= $(shell cat $(VENV)/torch-index 2>/dev/null)
# What a command-line user may have set for other projects must not redirect the installation.
unexport PIP_USER PIP_TARGET PIP_PREFIX PIP_REQUIRE_VIRTUALENV UV_SYSTEM_PYTHON UV_TARGET UV_PREFIX UV_PROJECT_ENVIRONMENT PYTHONPATH PYTHONHOME

# Test files that run at once: each process has MLflow servers of its own, of 300 MB.
JOBS ?= 2

ACT_VERSION := v0.2.89
ACTIONLINT_VERSION := v1.7.12

STAMP := $(VENV)/.installed-$(WITH)$(if $(TORCH_INDEX),-cpu)

.PHONY: help setup tools old-server demo screenshots test lint format kills races bench coverage mutants lock act wheel clean

help: ## This list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

setup: $(STAMP) ## Everything into .venv, from the lock; WITH=base for promotion alone, TORCH_INDEX=URL for a CPU build
	@:

# uv comes from the lock as well, with its hashes; everything after it is installed by it.
$(VENV)/uv.txt: $(LOCK)
	@[ -x $(BIN)/python ] || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=…")'
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	@sed -n '/^uv==/,/[^\\]$$/p' $(LOCK) >$@.new
	@cmp -s $@.new $@ 2>/dev/null && [ -x $(UV) ] || $(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes --no-deps -r $@.new
	@mv $@.new $@

$(STAMP): $(VENV)/uv.txt pyproject.toml $(LOCK)
	@rm -f $(VENV)/.installed-*
ifeq ($(WITH),base)
	@$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --constraints $(LOCK) hatchling editables
	@$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --constraints $(LOCK) --no-build-isolation --editable .
else ifneq ($(TORCH_INDEX),)
	@awk '/^[a-z0-9]/ { keep = $$0 !~ /^(torch|triton|nvidia-|cuda-)/ } keep' $(LOCK) >$(VENV)/without-torch.txt
	@$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes --no-deps --requirements $(VENV)/without-torch.txt
	@$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --no-deps --index-url '$(TORCH_INDEX)' "$$(sed -n 's/^\(torch==[^ ;]*\).*/\1/p' $(LOCK))"
	@$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@echo '$(TORCH_INDEX)' >$(VENV)/torch-index
else
	@$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes --requirements $(LOCK)
	@$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --no-deps --no-build-isolation --editable .
endif
	@touch $@
	@echo "ready: $(BIN)/promotion --help"

tools: $(BIN)/act $(BIN)/actionlint ## act and actionlint into .venv/bin (needs Go)

$(BIN)/act: | $(VENV)/uv.txt
	GOBIN='$(abspath $(BIN))' go install github.com/nektos/act@$(ACT_VERSION)

$(BIN)/actionlint: | $(VENV)/uv.txt
	GOBIN='$(abspath $(BIN))' go install github.com/rhysd/actionlint/cmd/actionlint@$(ACTIONLINT_VERSION)

old-server: setup ## MLflow 2.9.2 in an environment of its own, for the tests of old servers (made by them too)
	@$(BIN)/python -m tests.oldserver

demo: setup ## The main job, told step by step, on a server of its own; KEEP=1 leaves it up
	@KEEP='$(KEEP)' $(BIN)/python -m tests.acceptance.demo

screenshots: setup ## The pictures of the README, of the page that the demo writes (needs chromium)
	@$(BIN)/python -m tests.acceptance.screenshots

test: setup ## The whole test suite, two files at once; ARGS='tests/promotion -x' for a part, JOBS=0 for one process
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

lint: setup ## Ruff, mypy, import contracts, workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-actions .github/actions/*/action.yml
	@# Twice quieter: it warns of anchors, whose uses it judges as well (tests/workflows/test_static.py).
	$(BIN)/zizmor -qq --offline --no-progress --persona auditor .github
	@actionlint="$$(PATH="$(abspath $(BIN)):$$PATH" command -v actionlint)" || { \
	  echo 'actionlint is not installed: make tools (needs Go)'; [ -z "$${CI:-}" ]; exit; }; "$$actionlint"

format: setup ## Write the format and the safe fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

kills: setup ## Every fault at every write and push of a plan, as a table; ARGS='--every 5' for a sample
	@$(BIN)/python -m tests.proof kills $(ARGS)

races: setup ## Simultaneous reconciles with a reader all along: ROUNDS=1000
	@$(BIN)/python -m tests.proof races $(or $(ROUNDS),1000) $(ARGS)

bench: setup ## The benchmarks, as a table (long); ARGS='--quick plan status' for some, smaller
	@$(BIN)/python -m tests.benchmarks $(ARGS)

coverage: setup ## How often intervals hold the true figure, and how often compare is wrong: 2,000 datasets (minutes)
	@$(BIN)/python -m tests.simulations $(or $(DATASETS),2000)

mutants: setup ## Faults put into the planner, the decision and the reconciler: which of them no test finds (hours)
	@SCENE=memory OMP_NUM_THREADS=1 $(BIN)/python -m mutmut run
	@$(BIN)/python -m mutmut results

lock: setup ## Newest allowed versions into constraints.txt, with hashes, for every platform
	@$(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --all-extras --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links pyproject.toml --output-file $(LOCK)
	@echo "locked: $$(grep -c '^[a-z0-9]' $(LOCK)) packages"

act: setup ## A workflow under act, on a scratch copy: EVENT=pull_request|merge_group|push|schedule, or drift|rollback|train INPUTS='NAME=VALUE …'
	@$(BIN)/python -m tests.workflows.act '$(EVENT)' $(INPUTS)

wheel: setup ## The wheel, in dist/
	@$(BIN)/python -m hatchling build -t wheel

clean: ## Remove everything that can be made again
	rm -rf $(VENV) dist .grimp_cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache mutants
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
