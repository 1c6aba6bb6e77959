#!/usr/bin/env bash
# nightly.sh [PART...]: the checks that take too long for every change, or need
# other machines than this one: s390x, arm and arm64 (the unit tests under
# qemu-user), windows (the released programs under Wine), fuzz (FUZZTIME for each
# target, default 5m), programs (all verdicts against execution), admission
# (five times the Pods through the policy, each of them twice), soak (the race detector over SOAK shuffled runs, default
# 10). Linux with Debian's packages, as root.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- s390x arm arm64 windows programs admission fuzz soak

# packages NAME...: what is missing of Debian's packages.
packages() {
  dpkg-query -W -f '${db:Status-Status}\n' "$@" 2> /dev/null | grep -c '^installed$' | grep -qx $# && return
  echo "nightly: installing $*"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y -qq --no-install-recommends "$@" > /dev/null
}

# emulated QEMU GOARCH [GOARM]: the unit tests as programs of another machine.
# They start themselves and each other, so the kernel has to know how: in a user
# namespace, a registration of binfmt_misc is nobody else's (Linux 6.7).
emulated() {
  packages qemu-user-static
  # shellcheck disable=SC2016 # the inner shell expands it
  GOOS=linux GOARCH=$2 GOARM=${3:-} CGO_ENABLED=0 unshare --user --map-root-user --mount bash -euo pipefail -c '
    mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
    cat "/usr/lib/binfmt.d/qemu-$1.conf" > /proc/sys/fs/binfmt_misc/register
    go test -short -timeout 60m -exec "qemu-$1-static" ./...' - "$1"
}

failed=()
for part in "$@"; do
  echo "== nightly $part"
  start=$SECONDS
  case $part in
  s390x) emulated s390x s390x ;;
  arm) emulated arm arm 7 ;;
  arm64) emulated aarch64 arm64 ;;
  windows) packages wine wine64 binutils-mingw-w64-x86-64 && hack/wine.sh ;;
  programs) hack/install-e2e.sh && POLYARCH_NIGHTLY=1 CGO_ENABLED=0 go test -C test/e2e ./programs -count=1 -timeout 55m -v ;;
  admission) hack/install-e2e.sh && POLYARCH_NIGHTLY=1 CGO_ENABLED=0 go test -C test/e2e ./admission -count=1 -timeout 55m -v ;;
  fuzz) hack/fuzz.sh "${FUZZTIME:-5m}" ;;
  soak) hack/install-tools.sh gcc > /dev/null && CGO_ENABLED=1 go test -race -shuffle=on -count="${SOAK:-10}" -timeout 120m ./... ;;
  *) echo "nightly: there is no part $part"; false ;;
  esac || failed+=("$part")
  echo "== nightly $part: done in $((SECONDS - start)) s"
done
[ ${#failed[@]} = 0 ] || { echo "nightly: FAIL  ${failed[*]}"; exit 1; }
