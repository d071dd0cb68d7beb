# Two commands for a newcomer: `make demo` shows all of it, `make test` proves it. Both install what is missing.

.PHONY: demo test lint setup help

help:
	@echo 'make demo   the whole way on the sample project, with a table at the end'
	@echo 'make test   formatting, lints and every test'

demo: setup
	cargo run --release --quiet --bin etl -- demo $(ARGS)

test: setup
	scripts/test

setup:
	@scripts/setup
