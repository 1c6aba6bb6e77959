#!/usr/bin/env bash
# Installs what the end-to-end tests need beside Go: Debian packages, with their versions checked.
set -euo pipefail

# The oldest version that is known to work; ~ sorts before every suffix of Debian's.
packages=(
  containerd:1.6.20~
  runc:1.1.5~
  containernetworking-plugins:1.1.1~
  qemu-user-static:1:7.2~
  iproute2:6.1~
  iptables:1.8.9~
  buildah:1.28~
  docker.io:20.10~
  docker-registry:2.8~
  maven:3.8~
  openjdk-17-jdk-headless:17~
  ca-certificates-java:20190909~
  openssl:3.0~
  bazel-bootstrap:4.2.3~
  rsync:3.2~
  zsh:5.9~
  fish:3.6~
  chromium:140~
)

# Where node is not there already, by whatever way.
command -v node >/dev/null && command -v npm >/dev/null || packages+=(nodejs:18~ npm:9~)

die() {
  echo "install-e2e: $1" >&2
  exit 1
}

missing=()
for p in "${packages[@]}"; do
  name=${p%%:*} oldest=${p#*:}
  have=$(dpkg-query -W -f '${db:Status-Status} ${Version}' "$name" 2>/dev/null || true)
  [[ $have == "installed "* ]] && dpkg --compare-versions "${have#installed }" ge "$oldest" || missing+=("$name")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

command -v apt-get >/dev/null || die "installing ${missing[*]}: this is no Debian; install them by your own package manager"
[[ $EUID -eq 0 ]] || die "installing ${missing[*]}: not root; run: sudo $0"
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
# Nothing is to start by itself: each test starts its own containerd.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
apt-get -qq -o DPkg::Lock::Timeout=600 install --no-install-recommends "${missing[@]}" >/dev/null
for p in "${packages[@]}"; do
  name=${p%%:*} oldest=${p#*:}
  have=$(dpkg-query -W -f '${Version}' "$name")
  dpkg --compare-versions "$have" ge "$oldest" || die "installing $name: this system offers $have, the tests need $oldest or newer"
done
