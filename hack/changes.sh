#!/usr/bin/env bash
# changes.sh VERSION: print what CHANGELOG.md says of a release.
set -euo pipefail
cd "$(dirname "$0")/.."

version=${1:?usage: hack/changes.sh v1.2.3}
awk -v version="$version" '
  /^## / { inside = $2 == version; next }
  inside && (seen || NF) { seen = 1; print }
' CHANGELOG.md
