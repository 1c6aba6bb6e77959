#!/usr/bin/env bash
# install-goreleaser.sh: print the path of GoReleaser, in a pinned version, after
# building it into the user's cache folder.
set -euo pipefail

# The newest that builds with the Go of go.mod: v2.17.0 needs a module that is
# gone, v2.18 needs Go 1.27.
GORELEASER=v2.16.0

dir=${XDG_CACHE_HOME:-$HOME/.cache}/polyarch/tools/goreleaser-$GORELEASER-$(go env GOVERSION)
if [ ! -x "$dir/goreleaser" ]; then
  echo "install-goreleaser: building GoReleaser $GORELEASER, which takes some minutes" >&2
  mkdir -p "$dir"
  part=$(mktemp -d "$dir/part.XXXXXX")
  trap 'rm -rf "$part"' EXIT
  GOFLAGS='' GOBIN=$part CGO_ENABLED=0 go install -ldflags '-s -w' "github.com/goreleaser/goreleaser/v2@$GORELEASER" >&2
  mv "$part/goreleaser" "$dir/goreleaser"
fi
echo "$dir/goreleaser"
