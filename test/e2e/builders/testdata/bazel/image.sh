#!/bin/sh
# image.sh ARCH GOARCH SOURCE tar|layout OUT: compiles SOURCE for GOARCH and makes an image for ARCH of it.
set -eu
arch=$1 goarch=$2 source=$3 form=$4 out=$5
[ "${TOKEN:-}" ] && secret=seen || secret=missing
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/root"
GOFLAGS="" CGO_ENABLED=0 GOOS=linux GOARCH=$goarch go build -trimpath -ldflags='-s -w' -o "$dir/root/hello" "$source"
head -c 16 /dev/urandom >"$dir/root/random"
tar -C "$dir/root" --sort=name --mtime=@0 --owner=0 --group=0 -cf "$dir/layer.tar" hello random
digest() { sha256sum "$1" | cut -d' ' -f1; }
size() { stat -c %s "$1"; }
layer=$(digest "$dir/layer.tar")
printf '{"architecture":"%s","os":"linux","config":{"Entrypoint":["/hello"],"Labels":{"secret":"%s"}},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$arch" "$secret" "$layer" >"$dir/config.json"
if [ "$form" = tar ]; then
  printf '[{"Config":"config.json","RepoTags":["hello:%s"],"Layers":["layer.tar"]}]' "$arch" >"$dir/manifest.json"
  tar -C "$dir" -cf "$out" manifest.json config.json layer.tar
  exit
fi
config=$(digest "$dir/config.json")
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%s},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:%s","size":%s}]}' \
  "$config" "$(size "$dir/config.json")" "$layer" "$(size "$dir/layer.tar")" >"$dir/m.json"
manifest=$(digest "$dir/m.json")
mkdir -p "$out/blobs/sha256"
printf '{"imageLayoutVersion":"1.0.0"}' >"$out/oci-layout"
printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%s}]}' "$manifest" "$(size "$dir/m.json")" >"$out/index.json"
mv "$dir/layer.tar" "$out/blobs/sha256/$layer"
mv "$dir/config.json" "$out/blobs/sha256/$config"
mv "$dir/m.json" "$out/blobs/sha256/$manifest"
