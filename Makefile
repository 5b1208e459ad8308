# The front door. Each target is one call of cargo or of the program; `make help` lists them.

CARGO   ?= cargo
VENV    := .venv
PYTHON  := $(VENV)/bin/python
TW      := target/release/tablewright
# The demo's model and the trace it was trained on.
MODEL   ?= models/zoo/mcfns-stream-s.safetensors
TRACE   ?= models/traces/mcfns.champsimtrace.xz
BUILD   ?= build/demo
# What the zoo is trained on.
TRACES  ?= $(wildcard models/traces/*.champsimtrace.xz)

.PHONY: help setup demo test lint bench bench-rtl bench-clock shapes signoff trainer zoo zoo-report clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: ## install what is missing: Verilator, Icarus Verilog, Yosys
	@scripts/setup

demo: setup ## a trained model to Verilog, proved and estimated
	@$(CARGO) build --quiet --release -p tablewright
	@scripts/demo $(TW) $(MODEL) $(TRACE) $(BUILD)

test: ## every test
	@scripts/setup --python
	@PYTHON=$(abspath $(PYTHON)) scripts/test

lint: ## rustfmt and clippy, warnings as errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --exclude tablewright-train --all-targets -- -D warnings

bench: ## speed of the golden model, with the limit of this machine
	$(CARGO) bench -p tablewright-golden

bench-rtl: setup ## cycles, storage, simulation speed; area and clock of one kernel on ECP5 and IHP 130 nm (TW_IHP_SG13G2=FOLDER of its Liberty files)
	@scripts/setup --python
	@$(CARGO) build --quiet --release -p tablewright
	@PYTHON=$(abspath $(PYTHON)) scripts/bench-rtl $(TW)

bench-clock: setup ## long: the clock of a whole core against its levels of logic (TW_PDK=FOLDER of Liberty files)
	@$(CARGO) build --quiet --release -p tablewright
	@scripts/bench-clock $(TW) $(MODEL) --target ihp-sg13g2

shapes: setup ## long: 200 random shapes, each linted, simulated and compared
	TABLEWRIGHT_SHAPES=200 $(CARGO) test --release -p tablewright-verif --test shapes -- --nocapture

signoff: setup ## long: every check of a built MODEL, with hundreds of mutants, some of which may be left over (ARCHITECTURE.md, limits)
	@$(CARGO) build --quiet --release -p tablewright
	$(TW) build $(MODEL) -o $(BUILD) --trace $(TRACE)
	$(TW) verify $(BUILD) --level signoff --trace $(TRACE)

trainer: ## the training program; compiles an ML framework for minutes
	$(CARGO) build --release -p tablewright-train

zoo: trainer ## train the models of the zoo again, on TRACES
	@$(CARGO) build --quiet --release -p tablewright
	@scripts/zoo $(TW) $(TRACES)

zoo-report: ## the table of the zoo in models/README.md
	@$(CARGO) build --quiet --release -p tablewright
	@$(TW) report $(sort $(wildcard models/zoo/*.safetensors)) --into models/README.md

clean: ## remove what was built
	rm -rf target build $(VENV) .venv-bench
