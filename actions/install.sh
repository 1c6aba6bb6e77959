#!/bin/sh
# Installs polyarch's programs from a release, whose checksums are checked.
#
#   curl --proto '=https' --tlsv1.2 -fsSL https://github.com/polyarch/polyarch/releases/latest/download/install.sh | sh
#
# With the name of a program it is a step of the GitHub actions: it puts the
# release into the runner's tool cache and prints the program's path. There the
# file "version" beside it names the release, and "dev" is the source around it.
#
# It runs under dash, busybox, and bash 3.2, which is macOS's.
set -eu

released= # a release's own copy of this script names the release here

usage() {
  cat << 'END'
Usage: install.sh [--version VERSION] [--to FOLDER]

Installs detect-arch, stitch-index and inject-affinity.

  --version VERSION  a release, for example v1.2.3 (default: $POLYARCH_VERSION, or
                     the release that this script is part of)
  --to FOLDER        where the programs go (default: /usr/local/bin if it can be
                     written, else ~/.local/bin)

POLYARCH_RELEASES names a mirror of
https://github.com/polyarch/polyarch/releases/download.
END
}

# die MESSAGE HINT: to a runner, in an annotation, which must not become a
# second command.
die() {
  if [ -n "$program" ]; then
    printf '%s' "$1" | awk 'BEGIN { printf "::error title=polyarch::" } { gsub(/%/, "%25"); gsub(/\r/, "%0D"); printf "%s%s", (NR > 1 ? "%0A" : ""), $0 } END { print "" }' >&2
  else
    printf 'polyarch: error: %s\n' "$1" >&2
  fi
  echo "polyarch: hint: $2" >&2
  exit 1
}

program='' version='' to=''
while [ $# -gt 0 ]; do
  case $1 in
    --version | --to)
      [ $# -gt 1 ] || die "$1 names nothing" "see install.sh --help"
      [ "$1" = --to ] || version=$2
      [ "$1" = --version ] || to=$2
      shift
      ;;
    --version=*) version=${1#*=} ;;
    --to=*) to=${1#*=} ;;
    --help | -h) usage && exit ;;
    detect-arch | stitch-index | inject-affinity) program=$1 ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift
done

here=$(cd "$(dirname "$0")" && pwd)
temp=${RUNNER_TEMP:-${TMPDIR:-/tmp}}
version=${version:-${POLYARCH_VERSION:-$released}}
if [ -z "$version" ]; then
  if [ ! -f "$here/version" ] || [ ! -f "$here/install.sh" ]; then
    die "installing polyarch: this script is of no release" "take a release's own, https://github.com/polyarch/polyarch/releases/latest/download/install.sh, or name one: --version v1.2.3"
  fi
  version=$(cat "$here/version")
fi

case ${RUNNER_OS:-$(uname -s)} in
  Linux) os=linux ;;
  macOS | Darwin) os=darwin ;;
  Windows | MINGW* | MSYS* | CYGWIN*) os=windows ;;
  *) os=other ;;
esac
# A runner says X64 or ARM64; what it calls others differs, and the kernel knows.
machine=${RUNNER_ARCH:-$(uname -m)}
case $machine in
  X64 | ARM64 | X86 | x86_64 | amd64 | aarch64 | arm64) ;;
  *) machine=$(uname -m) ;;
esac
case $machine in
  X64 | x86_64 | amd64) arch=amd64 ;;
  ARM64 | aarch64 | arm64) arch=arm64 ;;
  armv7* | armv8l) arch=armv7 ;;
  ppc64le | riscv64 | s390x) arch=$machine ;;
  *) arch=other ;;
esac
extension=''
[ $os != windows ] || extension=.exe

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
  curl --proto '=https' --tlsv1.2 --fail --silent --show-error --location --retry 3 --connect-timeout 20 --max-time 300 --output "$1" "$releases/$version/$1" ||
    die "installing polyarch $version: $releases/$version/$1 cannot be fetched" \
      "look whether there is such a release; a machine without access to it takes a mirror: POLYARCH_RELEASES, or an action's input releases"
}

# unpacked: the release's programs for this machine are in the folder $work/programs.
unpacked() {
  printf '%s\n' "$version" | awk 'NR > 1 || !/^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$/ { bad = 1 } END { exit bad }' ||
    die "installing polyarch: \"$version\" is no version" "write it in full, for example v1.2.3"
  case $os-$arch in
    linux-* | darwin-a*64 | windows-a*64) ;;
    *) arch=other ;;
  esac
  if [ $os = other ] || [ "$arch" = other ]; then
    die "installing polyarch $version: there is no release for ${RUNNER_OS:-$(uname -s)} $machine" \
      "releases are for Linux (x86_64, arm64, armv7, ppc64le, riscv64, s390x), macOS and Windows (x86_64, arm64); elsewhere: go install github.com/polyarch/polyarch/cmd/...@$version"
  fi
  releases=${POLYARCH_RELEASES:-https://github.com/polyarch/polyarch/releases/download}
  releases=${releases%/}
  case $releases in
    https://*) ;;
    *) die "installing polyarch: $releases is not https" "programs that come over plain HTTP may be anybody's: serve the mirror with TLS" ;;
  esac
  command -v curl > /dev/null || die "installing polyarch: there is no curl" "install it: apt-get install curl, apk add curl, dnf install curl"
  archive=polyarch_${version}_${os}_$arch.tar.gz
  [ $os != windows ] || archive=${archive%.tar.gz}.zip
  work=$(mktemp -d "$temp/polyarch.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  cd "$work"
  fetch checksums.txt
  # sha256sum writes "SUM  NAME", and "SUM *NAME" for binary files
  want=$(awk -v name="$archive" '{ sub(/\r$/, "") } $2 == name || $2 == "*" name { print $1 }' checksums.txt)
  printf '%s\n' "$want" | awk 'NR > 1 || length != 64 || /[^0-9a-f]/ { bad = 1 } END { exit bad }' ||
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
}

# cached: as a step of an action.
cached() {
  to=${RUNNER_TOOL_CACHE:-$temp}/polyarch/$version/$os-$arch
  if [ ! -s "$to/$program$extension" ]; then
    unpacked
    mkdir -p "$(dirname "$to")"
    # whole or not at all, also when another job on this machine does the same
    mv programs "$to" 2> /dev/null || [ -s "$to/$program$extension" ] || die "installing polyarch $version: $to cannot be written" "the runner's tool cache has to be writable"
    echo "polyarch: installed $version for $os/$arch" >&2
  fi
  echo "$to/$program$extension"
}

# installed: for a person.
installed() {
  if [ -z "$to" ]; then
    to=/usr/local/bin
    [ -w "$to" ] || to=${HOME:?}/.local/bin
  fi
  case $to in /*) ;; *) to=$PWD/$to ;; esac
  unpacked
  mkdir -p "$to" 2> /dev/null || true
  [ -w "$to" ] || die "installing polyarch $version: $to cannot be written" "name another folder: --to ~/bin"
  for name in detect-arch stitch-index inject-affinity; do
    # a program that runs now is replaced, not written to
    cp "programs/$name$extension" "$to/.$name.$$"
    chmod 755 "$to/.$name.$$"
    mv -f "$to/.$name.$$" "$to/$name$extension"
    "$to/$name$extension" --version
  done
  echo "polyarch: the three are in $to" >&2
  case :$PATH: in *":$to:"*) ;; *) echo "polyarch: hint: $to is not in PATH; put it there: export PATH=\"$to:\$PATH\"" >&2 ;; esac
}

if [ -z "$program" ]; then
  installed
elif [ "$version" = dev ]; then
  build
else
  cached
fi
