#!/usr/bin/env bash
# freeze.sh VERSION: write the version of a release into every Task, StepAction
# and Pipeline, and into the commands of their documents. VERSION is v1.2.3.
set -euo pipefail
cd "$(dirname "$0")/.."

version=${1:?usage: hack/freeze.sh v1.2.3}
[[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+$ ]] || { echo "freeze: error: $version is not like v1.2.3" >&2; exit 2; }

git ls-files -z -- tasks catalog docs/tekton.md |
  xargs -0 sed -i -E \
    -e "s#(ghcr\.io/polyarch/[a-z-]+:)v[0-9]+\.[0-9]+\.[0-9]+#\1$version#g" \
    -e "s#(app\.kubernetes\.io/version: )\"[0-9.]+\"#\1\"${version#v}\"#" \
    -e "s#(polyarch/polyarch//[a-z/-]+\?ref=)v[0-9.]+[0-9]#\1$version#g" \
    -e "s#(polyarch/polyarch/)v[0-9.]+[0-9](/catalog)#\1$version\2#g"
