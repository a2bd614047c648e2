# The two commands of the README are `make demo` and `make test`; both do all of their own set-up.
SHELL := /bin/sh
BIN := .venv/bin

# Refusals name the command that was typed. Files go through the environment, because their names may hold quotes.
export JADA_TYPED := $(if $(SUDO_UID),sudo )make$(if $(MAKECMDGOALS), $(MAKECMDGOALS))$(if $(CLAUDE), CLAUDE=$(CLAUDE))$(if $(BOOKINGS), BOOKINGS=$(BOOKINGS))
export BOOKINGS
# What root writes in a user's checkout would be root's.
$(if $(SUDO_UID),$(eval export PYTHONDONTWRITEBYTECODE := 1))

.PHONY: help demo down test check bench mutants tools env clean-cache

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

tools:
	@local/bootstrap

demo: tools ## the whole chain on this machine; BOOKINGS=FILE your own bookings, CLAUDE=real the real API
	@$(BIN)/python -m local demo $(if $(BOOKINGS),--bookings "$$BOOKINGS") $(if $(CLAUDE),--claude '$(CLAUDE)')

# Without the bootstrap's checks: what is up must come down on a full disk too.
down: ## end the demo; nothing of it is left behind
	@test -e .venv/made-for || local/bootstrap
	@$(BIN)/python -m local down

env: ## the shell lines by which pulumi, fab and aws act on what is up
	@$(BIN)/python -m local env

clean-cache: ## remove the tools' cache, and say what that frees
	@test -e .venv/made-for || local/bootstrap
	@$(BIN)/python -m local clean-cache

test: tools ## all tests, the chain on real hosts among them
	@$(BIN)/python -m local tools
	@$(BIN)/pytest -n 2

check: tools ## lint, types, architecture, units, shell
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(BIN)/python -m local tools
	shellcheck local/bootstrap local/pulumi/bin/* .ci/run
	$(BIN)/pytest -q tests/unit/provision/release/test_bundle.py -k systemd_finds

bench: ## the queue beside procrastinate on PostgreSQL, in one run; durable, so on a real disk
	@local/bootstrap --group bench
	@$(BIN)/python -m bench

# From nothing each time: results of an earlier run would count for code that is gone.
mutants: ## our rules, broken one by one: which breaks does no test see? (some minutes)
	@local/bootstrap --group mutants
	@rm -rf mutants
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/mutmut run
	@$(BIN)/python tests/mutants.py
