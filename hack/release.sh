#!/usr/bin/env bash
# release.sh VERSION [FOLDER [TARGET...]]: all that a release publishes but for
# its images, into FOLDER (dist), with checksums.txt over every file. Targets, as
# .goreleaser.yaml names them, are for a quick look: those alone, without packages.
set -euo pipefail
cd "$(dirname "$0")/.."

version=${1:?usage: hack/release.sh v1.2.3 [FOLDER [TARGET...]]}
out=${2:-dist}
shift $(($# < 2 ? $# : 2))
[[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] || { echo "release: error: $version is not like v1.2.3" >&2; exit 2; }

goreleaser=$(hack/install-goreleaser.sh)
mkdir -p bin
go build -trimpath -o bin/ ./hack/sbom ./hack/bundle

# GoReleaser takes version and commit from git; what it would validate, that the
# tree is clean and tagged, the workflow does.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
config=$work/config.yaml
skip=validate,publish,announce
awk -v work="$work" '/^dist: /{ $0 = "dist: " work "/made" } { print }' .goreleaser.yaml > "$config"
if [ $# -gt 0 ]; then
  skip+=,nfpm,homebrew,winget
  awk -v keep=" $* " '/^      - (linux|darwin|windows)_/ && !index(keep, " " $2 " ") { next } { print }' "$config" > "$config.part"
  mv "$config.part" "$config"
fi
# One thing at a time: programs are in an archive in the order in which they were
# built. It wants a remote to be there, whatever the clone is of.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=remote.origin.url GIT_CONFIG_VALUE_0=https://github.com/polyarch/polyarch
PATH="$PWD/bin:$PATH" GORELEASER_CURRENT_TAG=$version "$goreleaser" release --config "$config" --skip="$skip" --clean --parallelism 1

rm -rf "$out" && mkdir -p "$out"
find "$work/made" -maxdepth 1 -type f \( -name '*.tar.gz' -o -name '*.zip' -o -name '*.spdx.json' -o -name '*.deb' -o -name '*.rpm' -o -name '*.apk' \) -exec cp {} "$out" \;
for kind in homebrew krew winget; do
  [ ! -d "$work/made/$kind" ] || find "$work/made/$kind" -type f -exec cp {} "$out" \;
done
bin/bundle --out "$out/polyarch_${version}_tekton_bundle.tar"
sed "s/^released=.*/released=$version/" actions/install.sh > "$out/install.sh"
(cd "$out" && LC_ALL=C && sha256sum -- * > "$work/checksums.txt")
mv "$work/checksums.txt" "$out/checksums.txt"
echo "release: $(wc -l < "$out/checksums.txt") files and their checksums.txt are in $out"
