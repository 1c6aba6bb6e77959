#!/usr/bin/env bash
# tap.sh VERSION: put the release's cask into the Homebrew tap polyarch/homebrew-tap,
# where TAP_TOKEN may write.
set -euo pipefail
cd "$(dirname "$0")/.."

version=${1:?usage: hack/tap.sh v1.2.3}
case $version in *-*) echo "tap: $version is a pre-release: nothing changes"; exit ;; esac
if [ -z "${TAP_TOKEN:-}" ]; then
  echo "::warning title=release::Homebrew's tap was not changed: there is no secret TAP_TOKEN; put dist/polyarch.rb into Casks/ of polyarch/homebrew-tap"
  exit
fi
tap=$(mktemp -d)
trap 'rm -rf "$tap"' EXIT
authorization=$(printf 'x-access-token:%s' "$TAP_TOKEN" | base64 | tr -d '\n')
# in the environment, not on a command line, which all of the machine can read
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=http.https://github.com/.extraheader GIT_CONFIG_VALUE_0="Authorization: basic $authorization"
git clone --quiet --depth 1 https://github.com/polyarch/homebrew-tap "$tap"
mkdir -p "$tap/Casks"
cp dist/polyarch.rb "$tap/Casks/polyarch.rb"
cd "$tap"
git add Casks
if git diff --cached --quiet; then
  echo "tap: it has $version already"
  exit
fi
git -c user.name=polyarch -c user.email=polyarch@users.noreply.github.com commit --quiet --message "polyarch $version"
git push --quiet
