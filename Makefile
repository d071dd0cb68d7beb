# Two commands for a newcomer: `make demo` shows all of it, `make test` proves it. Both install what is missing.

.PHONY: help demo test bench bench-quick bench-compare bench-micro setup

help:
	@echo 'make demo   the whole way on the sample project, with a table at the end'
	@echo 'make test   formatting, lints and every test'
	@echo 'make bench  how fast each phase is here, as ratios within one run; make bench-quick in a few minutes'
	@echo "make bench-compare ARGS='A.json B.json'   what got slower from one run of the benchmark to another"
	@echo 'make bench-micro   five hot paths alone, by criterion; nothing else compiles them (CONTRIBUTING.md)'
	@echo 'longer tests: scripts/faults, scripts/rabbitmq-faults, scripts/postgres-versions, scripts/fuzz (CONTRIBUTING.md)'

demo: setup
	cargo run --release --bin etl -- demo $(ARGS)

test: setup
	scripts/test

bench: setup
	scripts/bench $(ARGS)

bench-compare:
	python3 bench/compare.py $(ARGS)

bench-quick: setup
	scripts/bench --quick $(ARGS)

bench-micro: setup
	cargo bench --manifest-path bench/micro/Cargo.toml $(ARGS)

setup:
	@scripts/setup
