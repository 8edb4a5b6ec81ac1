# Everything here needs Go and nothing else; race needs a C compiler too.
# TESTFLAGS is handed to each `go test`: make test TESTFLAGS='-run Ladder -v'.
# FUZZTIME is a time or a count of inputs: make fuzz FUZZTIME=1m, FUZZTIME=50000x.

GO        ?= go
TESTFLAGS ?=
FUZZTIME  ?= 10s

LINT_MODULE  = github.com/golangci/golangci-lint/v2
LINT_VERSION = $(shell sed -n 's|^[[:space:]]*$(LINT_MODULE) \(v[^ ]*\).*|\1|p' tools/go.mod)
LINT         = bin/golangci-lint-$(LINT_VERSION)

.PHONY: help up build test race fuzz crash e2e bench lint fmt check

help: ## show this list (default)
	@sed -n 's/^\([a-z0-9]*\): .*## \(.*\)/\1\t\2/p' Makefile | while IFS="$$(printf '\t')" read -r name what; do \
		printf '  make %-8s %s\n' "$$name" "$$what"; done

up: ## run everything on this machine; Ctrl-C drains
	$(GO) run ./cmd/genesis up

build: ## build the programs into bin/
	$(GO) build -o bin/ ./cmd/...

test: ## run the tests
	$(GO) test $(TESTFLAGS) -timeout 10m ./...

race: ## run the tests under the race detector
	$(GO) test $(TESTFLAGS) -race -timeout 20m ./...

fuzz: ## fuzz every target for FUZZTIME (10s)
	@set -e; \
	for file in $$(grep -rl --include='*_test.go' '^func Fuzz' . | grep -Ev '^\./(bench|tools|e2e)/'); do dirname "$$file"; done | sort -u | \
	while read -r dir; do \
		targets=$$($(GO) test -list '^Fuzz' "$$dir"); \
		for target in $$(printf '%s\n' "$$targets" | grep '^Fuzz'); do \
			echo "fuzz $$dir $$target for $(FUZZTIME)"; \
			$(GO) test $(TESTFLAGS) -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$dir" </dev/null; \
		done; \
	done

crash: ## kill the programs at every step and count what survives
	@if [ -d internal/crash ]; then \
		set -x; $(GO) test $(TESTFLAGS) -tags faults -count 1 -timeout 15m ./internal/crash/...; \
	else echo "no crash tests yet"; fi

e2e: ## run the programs with Prometheus and Alertmanager, which must be installed
	cd e2e && $(GO) test $(TESTFLAGS) -timeout 5m ./...

bench: ## compare with raw nats.go; prints a table
	cd bench && $(GO) run .

lint: $(LINT) ## lint, and report what is not formatted
	$(LINT) run ./...

fmt: $(LINT) ## format
	$(LINT) fmt

check: ## all that CI runs
	./.ci/run

$(LINT):
	cd tools && $(GO) build -o ../$@ $(LINT_MODULE)/cmd/golangci-lint

# The nats command line client, for what the documents tell a reader to run.
bin/nats: tools/nats/go.mod tools/nats/go.sum
	cd tools/nats && $(GO) build -o ../../$@ github.com/nats-io/natscli/nats
