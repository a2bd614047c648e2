# The two commands of the README are `make demo` and `make test`; both do all of their own set-up.
SHELL := /bin/sh
BIN := .venv/bin

# Refusals name the command that was typed. Files go through the environment, because their names may hold quotes.
export JADA_TYPED := $(if $(SUDO_UID),sudo )make$(if $(MAKECMDGOALS), $(MAKECMDGOALS))$(if $(findstring command,$(origin JADA_OCTET)), JADA_OCTET=$(JADA_OCTET))$(if $(CLAUDE), CLAUDE=$(CLAUDE))$(if $(BOOKINGS), BOOKINGS=$(BOOKINGS))$(if $(HOSTS), HOSTS=$(HOSTS))
export BOOKINGS
# Compiled once, into the cache: where an image says that no bytecode is written, each of our thousand programs would
# compile all that it imports. Not under sudo, where what root writes below a user's folders would be root's.
BYTECODE := $(addsuffix /jada/bytecode,$(or $(XDG_CACHE_HOME),$(addsuffix /.cache,$(HOME))))
export PYTHONDONTWRITEBYTECODE := $(if $(SUDO_UID),1)
export PYTHONPYCACHEPREFIX := $(if $(SUDO_UID),,$(BYTECODE))

.PHONY: help demo down env clean-cache test unit check faults bench bench-mini scale kernels mutants tools docs dist real-check pictures

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

tools:
	@local/bootstrap

demo: tools ## the whole chain on this machine; BOOKINGS=FILE your own bookings, CLAUDE=real the real API; HOSTS=3 several over one queue
	@$(BIN)/python -m local demo $(if $(HOSTS),--hosts '$(HOSTS)') $(if $(BOOKINGS),--bookings "$$BOOKINGS") $(if $(CLAUDE),--claude '$(CLAUDE)')

# Without the bootstrap's checks: what is up must come down on a full disk too.
down: ## end the demo; nothing of it is left behind
	@test -e .venv/made-for || local/bootstrap
	@$(BIN)/python -m local down

env: ## the shell lines by which pulumi, fab and aws act on what is up
	@test -x $(BIN)/python || { echo 'jada: this checkout has no environment yet: `make demo` makes it, and the cloud' >&2; exit 1; }
	@$(BIN)/python -m local env

clean-cache: ## remove the tools' cache, and say what that frees
	@test -e .venv/made-for || local/bootstrap
	@$(BIN)/python -m local clean-cache

# Half of what collecting all tests takes, in each process of them, and of each `fab` that they start, was Python's compiling.
# Below the cache, also where bytecode beside the sources is not wanted: it is root's there, as images are.
unit check: export PYTHONDONTWRITEBYTECODE :=
unit check: export PYTHONPYCACHEPREFIX := $(or $(XDG_CACHE_HOME),$(if $(SUDO_UID),$(shell getent passwd $(SUDO_UID) | cut -d: -f6),$(HOME))/.cache)/jada/bytecode

PARTS := unit contract e2e chain
TESTS_unit := tests/unit
TESTS_contract := tests/contract
TESTS_e2e := $(filter-out %/chain %/__pycache__,$(wildcard tests/e2e/*))
TESTS_chain := tests/e2e/chain
# Three for each core: tests on hosts wait more than they compute. Half of them have a cloud (tests/scheduler.py).
PROCESSES := $(shell echo $$((3 * $$(nproc))))
OTHER_PART := $(filter-out $(PARTS),$(PART))

# Root's own cache, by sudo too: the tests' programs are root's, and in a user's cache what they write could not be used by that user.
test faults: export PYTHONPYCACHEPREFIX := $(BYTECODE)
test faults: export PYTHONDONTWRITEBYTECODE :=
# Refused before anything is installed. Releases are built by the uv of that cache, so root's is made beside the user's.
define ready_for_hosts
	$(if $(OTHER_PART),$(error jada: there is no part $(OTHER_PART); PART is one of $(PARTS), and without it all are run))
	@[ "$$(id -u)" = 0 ] || { echo 'jada: `make $@` makes hosts, which needs root: run `sudo make $@$(if $(PART), PART="$(PART)")`, or `make unit` for what needs none' >&2; exit 1; }
	@local/bootstrap
	@env -u SUDO_UID local/bootstrap --uv
	@env -u SUDO_UID $(BIN)/python -m local tools
endef

test: ## all tests, the chain on real hosts among them; PART=unit, contract, e2e or chain
	$(ready_for_hosts)
	@local/reachable $(BIN)/pytest -n $(PROCESSES) $(foreach part,$(PART),$(TESTS_$(part)))

# Two for each core: these wait as well, for servers of their own that end.
unit: tools ## the parts in one process: no root, no network, no host, no program; under a minute
	@$(BIN)/pytest -q -n $$((2 * $$(nproc))) -m 'not root and not process' tests/unit

check: tools ## lint, types, architecture, shell, systemd's units, docs
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	@command -v shellcheck >/dev/null || $(BIN)/python -m local tools
	shellcheck bin/fab local/bootstrap local/reachable local/pulumi/bin/* tests/e2e/chain/asked_once/pulumi .ci/run .ci/dist
	$(BIN)/pytest -q tests/unit/provision/release/test_bundle.py -k systemd_finds
	@$(MAKE) --no-print-directory docs

faults: ## 3,000 kills of the queue, families beside kills and in a table, 2,000 scenarios of people beside the sync, 500 faults of three dashboards, 500 of three whole hosts, sixty deploys that something ends, an hour without a receiver
	$(ready_for_hosts)
	@local/reachable $(BIN)/python -m tests.faults.kills --kills 3000
	@local/reachable $(BIN)/python -m tests.faults.subtasks --runs 20
	@local/reachable $(BIN)/python -m tests.faults.subtasks --runs 20 --table
	@local/reachable $(BIN)/python -m tests.people --scenarios 2000
	@local/reachable $(BIN)/python -m tests.people --scenarios 300 --hosts
	@local/reachable $(BIN)/python -m tests.people --scenarios 300 --tidied
	@local/reachable $(BIN)/python -m tests.faults.families --rounds 100
	@local/reachable $(BIN)/python -m tests.faults.fleet --faults 500
	@local/reachable $(BIN)/python -m tests.faults.hosts --faults 500
	@JADA_KILLS=60 local/reachable $(BIN)/pytest -v -rP tests/e2e/provision/test_kills.py
	@JADA_HOUR=real local/reachable $(BIN)/pytest -v tests/e2e/chain/test_notify.py -k hour

bench: ## the queue beside procrastinate on PostgreSQL, the idle dashboard, a long journal, a million tasks, sync and worker beside peers
	@local/bootstrap --all-extras --group dev --group bench
	@$(BIN)/python -m bench
	@$(BIN)/python -m bench.idle
	@$(BIN)/python -m bench.journal
	@$(BIN)/python -m bench.streams
	@$(BIN)/python -m bench.lists
	@$(BIN)/python -m bench.sync
	@$(BIN)/python -m bench.worker
	@$(BIN)/python -m bench.repository

# 750 MB with its libraries: in the cache and never in an environment of ours, whose libraries it would hold back.
MINI := $(addsuffix /jada/mini-swe-agent-2.4.6,$(or $(XDG_CACHE_HOME),$(addsuffix /.cache,$(HOME))))
bench-mini: tools ## the worker beside mini-swe-agent as well, which is fetched into the cache once: 750 MB
	@test -e '$(MINI)/.ok' || { python3 -m venv --clear '$(MINI)' \
	  && '$(MINI)/bin/pip' install --quiet --disable-pip-version-check mini-swe-agent==2.4.6 && touch '$(MINI)/.ok'; }
	@$(BIN)/python -m bench.worker --mini '$(MINI)/bin/python'

scale: tools ## what several hosts over one table cost, what breaks first: measured on DynamoDB Local, then simulated
	@$(BIN)/python -m bench.table
	@$(BIN)/python -m bench.scale

# From nothing each time: results of an earlier run would count for code that is gone.
kernels: tools ## the filter of system calls on Debian's own kernels of x86-64 and ARM64, emulated: needs qemu and a cross compiler
	@$(BIN)/python -m tests.kernels

mutants: ## our rules, broken one by one: which breaks does no test see? (some minutes)
	@local/bootstrap --all-extras --group dev --group mutants
	@rm -rf mutants
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/mutmut run
	@$(BIN)/python tests/mutants.py

# An environment of its own: Sphinx and awscli want different versions of one library.
docs: tools ## the documentation as a site, in report/docs; a warning or a dead link is an error
	@UV_PROJECT_ENVIRONMENT=.venv-docs local/bootstrap --only-group docs
	@.venv-docs/bin/sphinx-build -q -E -W --keep-going -b html docs report/docs
	@! grep -rlE '<(script|img|link)[^>]*(src|href)="(https?:)?//' report/docs --include='*.html' \
	  || { echo 'jada: these pages load something from elsewhere' >&2; exit 1; }
	@echo 'jada: the site is report/docs/index.html'

pictures: tools ## the README's pictures; the demo of one stays up until `make down`; ONLY=page, demo, or screens: every scene, theme and size
	@UV_PROJECT_ENVIRONMENT=.venv-pictures local/bootstrap --only-group pictures
	@.venv-pictures/bin/python docs/pictures/take.py $(ONLY)

real-check: ## the chain on a real AWS account, for real money: CIDR=, SECRETS=, SETTINGS=; see docs/real-check.md
	@test -x $(BIN)/python || { echo 'jada: run `uv sync` first' >&2; exit 2; }
	@$(BIN)/python -m trial $(if $(REMOVE),--remove '$(REMOVE)') $(if $(REHEARSE),--rehearse) $(if $(YES),--yes '$(YES)') \
	  $(if $(SETTINGS),--settings '$(SETTINGS)') $(if $(SECRETS),--secrets '$(SECRETS)') $(CIDR:%=--cidr %) \
	  $(if $(REGION),--region '$(REGION)') $(if $(BUNDLE),--bundle '$(BUNDLE)') $(if $(USD),--usd '$(USD)') $(if $(EDITOR_TOKEN),--editor '$(EDITOR_TOKEN)')

dist: ## what a release publishes, in dist/; TAG=v0.1.0 is compared with pyproject.toml
	@.ci/dist $(TAG)
