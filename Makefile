SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BINARIES := detect-arch stitch-index inject-affinity
# A tree that make prepare has made a release has its version.
VERSION  ?= $(shell grep -x 'v.*' actions/version || git describe --tags --always --dirty 2>/dev/null || echo v0.0.0-dev)
COMMIT   ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LDFLAGS  := -s -w -X github.com/polyarch/polyarch/internal/command.Version=$(VERSION) -X github.com/polyarch/polyarch/internal/command.Commit=$(COMMIT)

IMAGE_REPO      ?= ghcr.io/polyarch
IMAGE_PLATFORMS ?= linux/amd64,linux/arm64,linux/arm/v7,linux/ppc64le,linux/riscv64,linux/s390x

GOTEST   ?= go test
FUZZTIME ?= 5s

export CGO_ENABLED := 0

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

.PHONY: build
build: ## build the three binaries into bin/
	@for b in $(BINARIES); do go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/$$b; done

.PHONY: demo
demo: build ## run the main job on a recorded cluster and an embedded registry
	@go build -trimpath -o bin/ ./hack/demo
	@bin/demo

.PHONY: recording
recording: build ## draw docs/demo.svg, README's picture, from a real run
	@go build -trimpath -o bin/ ./hack/demo
	@go run ./hack/recording

.PHONY: test
test: ## unit tests, script tests: what a contributor runs
	go vet ./...
	$(GOTEST) ./...
	cd tasks && $(GOTEST) ./...

.PHONY: race
race: export CGO_ENABLED := 1
race: ## the unit tests under the race detector; needs a C compiler
	@hack/install-tools.sh gcc > /dev/null
	$(GOTEST) -race -short ./...

.PHONY: fuzz
fuzz: ## every fuzz target from its committed corpus, FUZZTIME=5s each
	@hack/fuzz.sh $(FUZZTIME)

.PHONY: nightly
nightly: ## NIGHTLY='s390x arm arm64 windows programs admission fuzz soak': other machines, long runs; root on Linux
	@hack/nightly.sh $(NIGHTLY)

.PHONY: lint
lint: ## gofmt, go vet, staticcheck, deadcode, govulncheck, actionlint, zizmor, shellcheck, yamllint
	@hack/lint.sh

.PHONY: e2e
e2e: ## real clusters, registries, builders and CI clients; root on Linux
	@hack/e2e.sh

.PHONY: docs
docs: ## write the tables of flags and results into the documents
	go run ./hack/docs

.PHONY: fmt
fmt: ## format the Go files
	gofmt -w $$(git ls-files -- '*.go' ':!*/testdata/*')

.PHONY: images
images: bin/images ## build our own images into bin/layouts, an OCI layout each
	@for b in $(BINARIES); do bin/stitch-index --image $(IMAGE_REPO)/$$b --tag $(VERSION) --platform $(IMAGE_PLATFORMS) --output oci:bin/layouts/$$b -- bin/images $$b; done

.PHONY: push
push: bin/images ## build our own images, push them and the Tekton bundle to IMAGE_REPO
	@for b in $(BINARIES); do bin/stitch-index --image $(IMAGE_REPO)/$$b --tag $(VERSION) --platform $(IMAGE_PLATFORMS) --result image-digest=bin/$$b.digest -- bin/images $$b; done
	@go run ./hack/bundle --push $(IMAGE_REPO)/catalog:$(VERSION) --digest-file bin/catalog.digest

.PHONY: bin/images
bin/images: build
	@go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./hack/images

.PHONY: prepare
prepare: ## VERSION=v1.2.3: make this tree that release, for one commit and its tag
	@hack/prepare.sh $(VERSION)

.PHONY: release
release: ## archives, packages, SBOMs, manifests, Tekton bundle and checksums of them all into dist/
	@hack/release.sh $(VERSION)

.PHONY: clean
clean: ## remove what the other targets made
	rm -rf bin dist demo
