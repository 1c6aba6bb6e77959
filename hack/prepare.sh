#!/usr/bin/env bash
# prepare.sh VERSION: make this tree the release VERSION, for one commit: its
# version everywhere, the generated inputs, the heading of its changes. VERSION
# dev is for the commit after it.
set -euo pipefail
cd "$(dirname "$0")/.."

version=${1:?usage: hack/prepare.sh v1.2.3}
hack/freeze.sh "$version"
go run ./hack/docs
if [ "$version" != dev ] && ! grep -q "^## $version " CHANGELOG.md; then
  grep -q '^## Unreleased$' CHANGELOG.md || { echo "prepare: error: CHANGELOG.md has no heading \"## Unreleased\"" >&2; exit 1; }
  [ -n "$(hack/changes.sh Unreleased)" ] || { echo "prepare: error: CHANGELOG.md says nothing under \"## Unreleased\": what does $version change for its users?" >&2; exit 1; }
  sed -i "s/^## Unreleased\$/## Unreleased\n\n## $version ($(date -u +%F))/" CHANGELOG.md
fi
git diff --stat
