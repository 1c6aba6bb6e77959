#!/usr/bin/env bash
# Runs the end-to-end tests: hack/e2e.sh [flags of go test]
# The first run builds Kubernetes and Tekton from source, which takes about ten minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
hack/install-e2e.sh
# One package at a time: each may run a cluster. Without cgo, packages compiled for a program of the
# cluster serve the tests too.
export CGO_ENABLED=0
go test -C test/e2e ./... -p 1 -count=1 -timeout 55m -v "$@"
[ $# -gt 0 ] || go test -C test/corpus ./... -count=1 -timeout 30m
# Not in `make lint`, which would have to compile Kubernetes for it; here that has been done.
[ $# -gt 0 ] || for m in hyperkube pause; do go vet -C test/e2e/tools/$m ./...; done
