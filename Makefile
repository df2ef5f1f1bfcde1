# Everything here needs Go, make and git only. `make help` lists the targets.

BINARY := bin/otelcol-stageflow
STOCK := bin/otelcol-stock
SDK := github.com/stageflow/otelcol-stageflow/sdk
# All Go code of both modules. The SDK's packages are named by import path: ./sdk/... is another module.
PACKAGES := ./... $(SDK)/...
# End-to-end tests start the built binary, so they run by themselves.
UNIT = $$(go list $(PACKAGES) | grep -v /test/e2e)
# The race detector needs a C compiler; without one the tests run without it, and say so.
RACE := $(shell command -v $$(go env CC) >/dev/null 2>&1 && echo -race)
TOOLS := $(CURDIR)/.tools
GOLANGCI_LINT := $(TOOLS)/golangci-lint-v2.12.2

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.PHONY: build
build: ## build the collector into bin/otelcol-stageflow
	@mkdir -p bin
	@CGO_ENABLED=0 go tool builder --config builder-config.yaml --skip-compilation > bin/build.log 2>&1 || { cat bin/build.log; exit 1; }
	@cd _build && CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags="-s -w" -o ../$(BINARY) .

.PHONY: install
install: ## install the runlog command, the run log in a terminal, into Go's bin directory
	@CGO_ENABLED=0 go install -trimpath ./cmd/runlog

.PHONY: demo
demo: build ## start the collector, run pipelines against it, show the run log, stop everything
	@CGO_ENABLED=0 go build -trimpath -o bin/ ./examples/chat ./examples/demo
	@bin/demo

.PHONY: run
run: build ## run the collector in the foreground with config/default.yaml
	@GOMEMLIMIT=820MiB $(BINARY) --config config/default.yaml

.PHONY: test
test: build $(STOCK) ## unit tests of all modules (with the race detector) and end-to-end tests on the built binary
	@./test/servers.sh
	@test -n "$(RACE)" || echo "no C compiler ($$(go env CC)) found: testing without the race detector"
	@go test $(RACE) -timeout 10m $(UNIT)
	@CGO_ENABLED=0 go test -trimpath -count=1 -timeout 10m ./test/e2e/...
	@cd bench && CGO_ENABLED=0 go test -trimpath -count=1 -timeout 5m ./...

.PHONY: test-long
test-long: build ## for an hour: kill the collector 500 times, and it or PostgreSQL 250 times, send a million runs, and more than it can take, fuzz every decoder and classifier
	@CGO_ENABLED=0 go test -trimpath -count=1 -timeout 30m ./test/e2e -run TestKilled -v -kills 500
	@./test/servers.sh
	@CGO_ENABLED=0 go test -trimpath -count=1 -timeout 30m ./test/e2e -run TestPostgresKilled -v -crashes 250
	@go test -count=1 -timeout 60m ./test/soak -v -runs 1000000 -inflight 100000 -overload 1m
	@./test/fuzz.sh

.PHONY: bench
bench: build $(STOCK) ## run the benchmarks, and compare the collector and the breaker with others: bench/README.md
	@go test -run '^$$' -bench . -benchmem $(UNIT)
	@cd bench && CGO_ENABLED=0 go test -trimpath -run '^$$' -bench . ./...
	@cd bench && CGO_ENABLED=0 go run -trimpath ./collector

# The collector that ours is compared with. Go knows whether it has to be built anew.
.PHONY: $(STOCK)
$(STOCK):
	@cd bench && CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags="-s -w" -o ../$@ ./collector/stock

.PHONY: generate
generate: ## run the code generators
	@go generate ./...

.PHONY: lint
# A cache of its own: what one checkout found is told with the paths of its files, and another checkout
# cannot see whether those are generated.
lint: export GOLANGCI_LINT_CACHE = $(TOOLS)/lint-cache
lint: $(GOLANGCI_LINT) ## lint all modules
	@$(GOLANGCI_LINT) run ./...
	@cd sdk && $(GOLANGCI_LINT) run --config ../.golangci.yml ./...
	@cd bench && $(GOLANGCI_LINT) run --config ../.golangci.yml ./...
	@go mod tidy -diff
	@cd sdk && go mod tidy -diff
	@cd bench && go mod tidy -diff

$(GOLANGCI_LINT):
	@mkdir -p $(TOOLS)
	@GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.12.2
	@mv $(TOOLS)/golangci-lint $@

.PHONY: clean
clean: ## remove what was built, not the data
	@rm -rf bin _build
