SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BINARIES := detect-arch stitch-index inject-affinity
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo v0.0.0-dev)
COMMIT   ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LDFLAGS  := -s -w -X github.com/polyarch/polyarch/internal/command.Version=$(VERSION) -X github.com/polyarch/polyarch/internal/command.Commit=$(COMMIT)
export CGO_ENABLED := 0

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-6s %s\n", $$1, $$2}'

.PHONY: build
build: ## build the three binaries into bin/
	@for b in $(BINARIES); do go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/$$b; done

.PHONY: test
test: ## unit tests, script tests: what a contributor runs
	go vet ./...
	go test ./...

.PHONY: fmt
fmt: ## format the Go files
	gofmt -w cmd internal hack samples

.PHONY: clean
clean: ## remove what the other targets made
	rm -rf bin dist demo

.PHONY: lint
lint: ## gofmt, go vet, staticcheck, govulncheck, actionlint, shellcheck, yamllint
	@hack/lint.sh

.PHONY: docs
docs: ## write the tables of flags and results into the documents
	go run ./hack/docs

.PHONY: e2e
e2e: ## real clusters, registries, builders and CI clients; root on Linux
	@hack/e2e.sh
