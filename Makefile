# Two commands for a newcomer: `make demo` shows all of it, `make test` proves it. Both install what is missing.

.PHONY: help demo test bench setup

help:
	@echo 'make demo   the whole way on the sample project, with a table at the end'
	@echo 'make test   formatting, lints and every test'
	@echo 'make bench  how fast each phase is here, as ratios within one run'

demo: setup
	cargo run --release --bin etl -- demo $(ARGS)

test: setup
	scripts/test

bench: setup
	cargo build --release
	scripts/bench $(ARGS)

setup:
	@scripts/setup
