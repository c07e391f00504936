# The commands that people and scripts rely on. Each does all its own set-up; a second run is quick.

# Tools that setup.sh fetches live beside other caches, never in the clone.
export PATH := $(or $(ANTIPHON_CACHE),$(HOME)/.cache/antiphon)/tools:$(PATH)

# How much the seeded tests try: ci (minutes) or full (as long as it takes).
export EFFORT ?= ci

# Arguments: make run ARGS="--http 127.0.0.1:9000", make bench ARGS="--only G3"
ARGS ?=

.PHONY: help run test check bench dev screens

help:
	@echo "make run      the product with a living demo on this machine"
	@echo "make test     every check and test, as CI runs it"
	@echo "make check    the quick part: fmt, tidy, clippy, tests of what changed"
	@echo "make bench    benchmarks, each figure beside its floor and its goal"
	@echo "make dev      the demo with hot reload of the web UI"
	@echo "make screens  pictures of every screen, in screens/"

# The development profile: it builds in half the time of the release profile, shares its artefacts
# with make test, and a demo of a few calls needs a few per cent of one core either way.
run:
	@scripts/setup.sh run
	@npm --prefix web run --silent build
	@cargo run --quiet --package antiphon -- demo $(ARGS)

test:
	@scripts/setup.sh test
	@cargo xtask test

check:
	@scripts/setup.sh check
	@cargo xtask check

bench:
	@scripts/setup.sh bench
	@npm --prefix web run --silent build
	@cargo xtask bench $(ARGS)

# The program answers on its usual port; the page with hot reload talks to it through a proxy.
dev:
	@scripts/setup.sh dev
	@cargo build --quiet --package antiphon
	@cargo run --quiet --package antiphon -- demo $(ARGS) & demo=$$!; \
	trap 'kill $$demo 2>/dev/null' EXIT INT TERM; \
	npm --prefix web run dev

screens:
	@scripts/setup.sh screens
	@npm --prefix web run --silent build
	@npm --prefix web run --silent screens
