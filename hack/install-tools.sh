#!/usr/bin/env bash
# install-tools.sh: the linters of `make lint`, in pinned versions, idempotent.
# Go tools go to the user's cache folder, one folder a version; shellcheck and
# yamllint come from the system's package manager.
set -euo pipefail

STATICCHECK=v0.8.2
GOVULNCHECK=v1.9.0
ACTIONLINT=v1.7.12

go_version=$(go env GOVERSION)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/polyarch/tools

# install_go NAME VERSION PACKAGE: prints the program's path.
install_go() {
  local dir=$cache/$1-$2-$go_version
  if [ ! -x "$dir/$1" ]; then
    echo "install-tools: building $1 $2" >&2
    # -mod=mod and an empty GOFLAGS: the tools are not part of this module
    GOFLAGS='' GOBIN=$dir.tmp go install "$3@$2" >&2
    rm -rf "$dir" && mv "$dir.tmp" "$dir"
  fi
  echo "$dir/$1"
}

# install_system NAME...: what is missing, from the package manager.
install_system() {
  local missing=()
  for p in "$@"; do command -v "$p" > /dev/null || missing+=("$p"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "install-tools: installing ${missing[*]}" >&2
  local sudo=''
  [ "$(id -u)" = 0 ] || sudo=sudo
  if command -v apt-get > /dev/null; then
    $sudo apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
  elif command -v brew > /dev/null; then
    brew install --quiet "${missing[@]}"
  else
    echo "install-tools: please install ${missing[*]} with your package manager, then run this again" >&2
    exit 1
  fi
}

install_system shellcheck yamllint >&2
STATICCHECK_BIN=$(install_go staticcheck $STATICCHECK honnef.co/go/tools/cmd/staticcheck)
GOVULNCHECK_BIN=$(install_go govulncheck $GOVULNCHECK golang.org/x/vuln/cmd/govulncheck)
ACTIONLINT_BIN=$(install_go actionlint $ACTIONLINT github.com/rhysd/actionlint/cmd/actionlint)
printf 'STATICCHECK=%s\nGOVULNCHECK=%s\nACTIONLINT=%s\n' "$STATICCHECK_BIN" "$GOVULNCHECK_BIN" "$ACTIONLINT_BIN"
