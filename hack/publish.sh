#!/usr/bin/env bash
# publish.sh VERSION: make a release of dist/ on GitHub. It is a draft until all
# of its files are there; one that is published already is left as it is.
set -euo pipefail
cd "$(dirname "$0")/.."

version=${1:?usage: hack/publish.sh v1.2.3}
(cd dist && sha256sum --check --quiet checksums.txt)

if ! draft=$(gh release view "$version" --json isDraft --jq .isDraft 2> /dev/null); then
  notes=$(mktemp)
  trap 'rm -f "$notes"' EXIT
  hack/changes.sh "$version" > "$notes"
  options=()
  case $version in *-*) options=(--prerelease) ;; esac
  gh release create "$version" --draft --verify-tag --title "$version" --notes-file "$notes" "${options[@]}"
  draft=true
fi
if [ "$draft" != true ]; then
  echo "publish: $version is published already: nothing changes"
  exit
fi
gh release upload "$version" --clobber dist/*
# "latest" is what the install script and Homebrew go by: the newest, not the last
releases=$(git ls-remote --tags --refs origin 'v*' | sed 's#.*refs/tags/##' | grep -Ex 'v[0-9]+\.[0-9]+\.[0-9]+' || true)
latest=false
[ "$(sort -V <<< "$releases" | tail -n 1)" != "$version" ] || latest=true
gh release edit "$version" --draft=false --latest=$latest
