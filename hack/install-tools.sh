#!/usr/bin/env bash
# install-tools.sh [NAME...]: the programs of `make lint` and the other checks
# that the Go distribution does not have, in pinned versions, idempotent; prints
# a line NAME=PATH for each. Go programs go to the user's cache folder, one
# folder a version; the rest come from the system's package manager.
set -euo pipefail

go_version=$(go env GOVERSION)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/polyarch/tools

# install_go NAME VERSION PACKAGE: prints the program's path.
install_go() {
  local dir=$cache/$1-$2-$go_version
  if [ ! -x "$dir/$1" ]; then
    echo "install-tools: building $1 $2" >&2
    # an empty GOFLAGS and no GOOS: the programs are not part of this module, and run here
    env -u GOOS -u GOARCH GOFLAGS='' GOBIN="$dir.$$" go install "$3@$2" >&2
    rm -rf "$dir" && mv "$dir.$$" "$dir"
  fi
  echo "$dir/$1"
}

# install_system PROGRAM[:PACKAGE]...: what is missing, from the package manager.
install_system() {
  local missing=() p
  for p in "$@"; do command -v "${p%%:*}" > /dev/null || missing+=("${p##*:}"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "install-tools: installing ${missing[*]}" >&2
  local sudo=''
  [ "$(id -u)" = 0 ] || sudo=sudo
  if command -v apt-get > /dev/null; then
    $sudo apt-get update -qq >&2
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
  elif command -v brew > /dev/null; then
    brew install --quiet "${missing[@]}" >&2
  else
    echo "install-tools: please install ${missing[*]} with your package manager, then run this again" >&2
    exit 1
  fi
}

# install_pip NAME VERSION: a program of PyPI, in an environment of its own.
install_pip() {
  local dir=$cache/$1-$2
  if [ ! -x "$dir/bin/$1" ]; then
    install_system python3
    python3 -c 'import ensurepip' 2> /dev/null || install_system no-venv:python3-venv
    echo "install-tools: installing $1 $2" >&2
    rm -rf "$dir"
    python3 -m venv "$dir" >&2
    "$dir/bin/pip" install --quiet --disable-pip-version-check "$1==$2" >&2
  fi
  echo "$dir/bin/$1"
}

tool() {
  local path
  case $1 in
  staticcheck) path=$(install_go "$1" v0.8.2 honnef.co/go/tools/cmd/staticcheck) ;;
  deadcode) path=$(install_go "$1" v0.52.0 golang.org/x/tools/cmd/deadcode) ;;
  govulncheck) path=$(install_go "$1" v1.9.0 golang.org/x/vuln/cmd/govulncheck) ;;
  actionlint) path=$(install_go "$1" v1.7.12 github.com/rhysd/actionlint/cmd/actionlint) ;;
  gotestsum) path=$(install_go "$1" v1.13.0 gotest.tools/gotestsum) ;;
  zizmor) path=$(install_pip "$1" 1.32.0) ;;
  shellcheck | yamllint) install_system "$1"; path=$(command -v "$1") ;;
  gcc) install_system gcc gcc:libc6-dev; path=$(command -v gcc) ;;
  *) echo "install-tools: there is no tool $1" >&2; exit 1 ;;
  esac
  echo "${1^^}=$path"
}

[ $# -gt 0 ] || set -- staticcheck deadcode govulncheck actionlint zizmor shellcheck yamllint
for name in "$@"; do tool "$name"; done
