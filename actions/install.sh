#!/usr/bin/env bash
# install.sh PROGRAM: prints the path of one of polyarch's programs, after putting
# it there.
#
# POLYARCH_VERSION names a release, else the file "version" beside this script
# does: its archive for this machine is fetched from POLYARCH_RELEASES, checked
# against the release's checksums, and kept in the runner's tool cache. Where
# neither does, go build makes the program of the source around this script.
#
# It has to run under bash 3.2, which is macOS's.
set -euo pipefail

program=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# die MESSAGE HINT: an annotation must not become a second command of the runner.
die() {
  local message=${1//'%'/%25}
  message=${message//$'\r'/%0D}
  echo "::error title=polyarch::${message//$'\n'/%0A}" >&2
  echo "polyarch: hint: $2" >&2
  exit 1
}

case ${RUNNER_OS:-$(uname -s)} in
  Linux) os=linux ;;
  macOS | Darwin) os=darwin ;;
  Windows | MINGW* | MSYS* | CYGWIN*) os=windows ;;
  *) os=other ;;
esac
case ${RUNNER_ARCH:-$(uname -m)} in
  X64 | x86_64 | amd64) arch=amd64 ;;
  ARM64 | aarch64 | arm64) arch=arm64 ;;
  *) arch=other ;;
esac
extension=''
[ $os != windows ] || extension=.exe
temp=${RUNNER_TEMP:-${TMPDIR:-/tmp}}

version=${POLYARCH_VERSION:-}
[ -n "$version" ] || version=$(cat "$here/version")

build() {
  command -v go > /dev/null ||
    die "installing polyarch: this version of the action is no release, and there is no Go to build it with" \
      "name a release in the input version, or put actions/setup-go before this step"
  echo "polyarch: building $program from source: this version of the action is no release" >&2
  GOFLAGS='' CGO_ENABLED=0 go build -C "$here/.." -trimpath -o "$temp/polyarch-source/$program$extension" "./cmd/$program" >&2 ||
    die "installing polyarch: go build failed" "its messages are above"
  echo "$temp/polyarch-source/$program$extension"
}

# sha256 FILE: prints its checksum.
sha256() {
  if command -v sha256sum > /dev/null; then sha256sum < "$1"; else shasum -a 256 < "$1"; fi | cut -d ' ' -f 1
}

# fetch NAME: a file of the release, into the current folder.
fetch() {
  curl --fail --silent --show-error --location --retry 3 --connect-timeout 20 --max-time 300 --output "$1" "$releases/$version/$1" ||
    die "installing polyarch $version: $releases/$version/$1 cannot be fetched" \
      "look whether there is such a release; a runner without access to it takes a mirror, the input releases"
}

download() {
  [[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] ||
    die "installing polyarch: \"$version\" is no version" "write it in full, for example v1.2.3"
  if [ $os = other ] || [ $arch = other ]; then
    die "installing polyarch $version: there is no release for ${RUNNER_OS:-$(uname -s)} ${RUNNER_ARCH:-$(uname -m)}" \
      "releases are for Linux, macOS and Windows, X64 and ARM64"
  fi
  local to=${RUNNER_TOOL_CACHE:-$temp}/polyarch/$version/$os-$arch
  if [ ! -s "$to/$program$extension" ]; then
    releases=${POLYARCH_RELEASES:-https://github.com/polyarch/polyarch/releases/download}
    releases=${releases%/}
    local archive=polyarch_${version}_${os}_$arch.tar.gz want have
    [ $os != windows ] || archive=${archive%.tar.gz}.zip
    work=$(mktemp -d "$temp/polyarch.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    cd "$work"
    fetch checksums.txt
    # sha256sum writes "SUM  NAME", and "SUM *NAME" for binary files
    want=$(awk -v name="$archive" '{ sub(/\r$/, "") } $2 == name || $2 == "*" name { print $1 }' checksums.txt)
    [[ $want =~ ^[0-9a-f]{64}$ ]] ||
      die "installing polyarch $version: its checksums.txt has no checksum for $archive" "nothing was installed; see $releases/$version/checksums.txt"
    fetch "$archive"
    have=$(sha256 "$archive")
    [ "$have" = "$want" ] ||
      die "installing polyarch $version: $archive has the checksum $have, and checksums.txt says $want" \
        "nothing was installed; run it again, and report it if it stays so"
    mkdir programs
    case $archive in
      *.zip) if command -v unzip > /dev/null; then unzip -q "$archive" -d programs; else "$SYSTEMROOT/System32/tar.exe" -xf "$archive" -C programs; fi ;;
      *) tar -xzf "$archive" -C programs ;;
    esac
    mkdir -p "$(dirname "$to")"
    # whole or not at all, also when another job on this machine does the same
    mv programs "$to" 2> /dev/null || [ -s "$to/$program$extension" ] || die "installing polyarch $version: $to cannot be written" "the runner's tool cache has to be writable"
    echo "polyarch: installed $version for $os/$arch" >&2
  fi
  echo "$to/$program$extension"
}

if [ "$version" = dev ]; then build; else download; fi
