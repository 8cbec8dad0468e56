# The steps of every folder in deploy/scenarios. `make help` lists them.
#
# env.mk holds the values of the scenario: make reads them here, and loadgen reads the same file.

include env.mk

# The program. Another one: make 2-run LOADGEN=../../../target/release/loadgen
LOADGEN ?= loadgen
# Where reports go.
OUT ?= loadgen-out
# Where runs are kept: a folder, or s3://bucket/prefix. Empty: nowhere.
STORE ?=
# More options of `loadgen run`, such as OPTIONS="--seed 7".
OPTIONS ?=
# An earlier run to compare with.
BEFORE ?=

.PHONY: help 1-plan 2-run 3-report 4-compare 5-history 6-clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

1-plan: ## Print the timeline, and start nothing
	$(LOADGEN) run scenario.toml --env env.mk --dry-run --out $(OUT) $(OPTIONS)

2-run: ## Play the scenario; STORE=s3://bucket/prefix keeps the run
	$(LOADGEN) run scenario.toml --env env.mk --out $(OUT) $(if $(STORE),--store $(STORE)) $(OPTIONS)

3-report: ## Make the reports of the last run again, from its report.json
	$(LOADGEN) report $(OUT)

4-compare: ## Compare the last run with BEFORE=FOLDER
	@test -n "$(BEFORE)" || { echo "name the folder of an earlier run: make 4-compare BEFORE=FOLDER" >&2; exit 2; }
	$(LOADGEN) compare $(BEFORE) $(OUT)

5-history: ## List the runs in STORE
	@test -n "$(STORE)" || { echo "name the store of the runs: make 5-history STORE=s3://bucket/prefix" >&2; exit 2; }
	$(LOADGEN) runs list --store $(STORE)

6-clean: ## Remove the reports
	rm -rf -- $(OUT)
