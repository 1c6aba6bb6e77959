#!/usr/bin/env bash
# wine.sh: the Windows programs, built as they are released, under Wine: what a
# drive letter, a backslash and a line that ends with CR LF do to them. Each must
# do what the same program does here.
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD

scratch=$(mktemp -d)
export WINEPREFIX=$scratch/wine WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml='
trap 'wineserver -k 2> /dev/null || true; rm -rf "$scratch"' EXIT
ok() { echo "wine: ok    $*"; }
die() { echo "wine: FAIL  $*"; exit 1; }

programs='detect-arch stitch-index inject-affinity'
mkdir -p "$scratch"/{here,windows,work}
export CGO_ENABLED=0
for b in $programs; do
  go build -trimpath -ldflags '-s -w' -o "$scratch/here/$b" "./cmd/$b"
  GOOS=windows GOARCH=amd64 go build -trimpath -ldflags '-s -w' -o "$scratch/windows/$b.exe" "./cmd/$b"
done
go build -o "$scratch/here/demo" ./hack/demo
here() { "$scratch/here/$1" "${@:2}"; }
windows() { wine "$scratch/windows/$1.exe" "${@:2}"; }

wineboot --init > /dev/null 2>&1 || die "Wine does not start"
# Go's programs take their random bytes from a DLL that Wine has since 8.18: a
# forwarder to where older ones have them.
dll=$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll
if [ ! -e "$dll" ]; then
  printf 'LIBRARY bcryptprimitives.dll\nEXPORTS\n  ProcessPrng = advapi32.SystemFunction036\n' > "$scratch/prng.def"
  x86_64-w64-mingw32-ld -shared -e 0 -o "$dll" "$scratch/prng.def"
fi

for b in $programs; do
  got=$(windows "$b" --version | tr -d '\r')
  want=$(here "$b" --version)
  [ "$got" = "${want/linux\/$(go env GOHOSTARCH)/windows/amd64}" ] || die "$b --version prints $got; here $want"
  ok "$got"
done

# inject-affinity: files that end their lines with CR LF, named by drive letter,
# by a relative path with backslashes, and by a folder.
cd "$scratch/work"
flags=(--image 'hello=registry.example/hello:v1;linux/amd64,linux/arm64' --offline --write)
for form in drive relative folder; do
  rm -rf lf crlf
  cp -r "$top/samples/hello/k8s" lf
  cp -r lf crlf
  find crlf -type f -exec sed -i 's/$/\r/' {} +
  case $form in
  drive) name=$(winepath -w "$PWD/crlf/pod.yaml") path=lf/pod.yaml ;;
  relative) name='crlf\pod.yaml' path=lf/pod.yaml ;;
  folder) name=$(winepath -w "$PWD/crlf") path=lf ;;
  esac
  here inject-affinity "${flags[@]}" "$path" > here.out
  windows inject-affinity "${flags[@]}" "$name" > windows.out || die "inject-affinity $name"
  [ "$(wc -l < here.out)" = "$(wc -l < windows.out)" ] || die "inject-affinity $name changed other files: $(cat windows.out)"
  cmp -s lf/pod.yaml "$top/samples/hello/k8s/pod.yaml" && die "inject-affinity changed nothing"
  find lf -type f -exec sed -i 's/$/\r/' {} +
  diff -r lf crlf || die "inject-affinity $name: not what it writes here, with CR LF"
  ok "inject-affinity $name: $(wc -l < windows.out) files"
done

# stitch-index: from a layout to a layout, each behind a drive letter; the same
# bytes, so the same digest.
want=$(here stitch-index --image registry.invalid/hello --tag v1 --platform linux/amd64,linux/arm64,linux/s390x \
  --output "oci:$PWD/in" --context "$top/samples/hello" -- "$scratch/here/demo" build 2> /dev/null | head -1)
layout=$(winepath -w "$PWD/in")
for out in "$(winepath -w "$PWD/out")" 'back\slash'; do
  got=$(windows stitch-index --output "oci:$out:v1" "oci:$layout:v1" | tr -d '\r' | head -1) || die "stitch-index --output oci:$out:v1"
  [ "${got##*@}" = "${want##*@}" ] || die "stitch-index --output oci:$out:v1: $got; here $want"
  ok "stitch-index $got"
done
diff -r in/blobs out/blobs || die "stitch-index: the blobs differ"
diff -r in/blobs back/slash/blobs || die "stitch-index: the blobs differ"

# detect-arch: nodes from a file behind a drive letter.
want=$(here detect-arch --from-file "$top/samples/hello/nodes.json")
got=$(windows detect-arch --from-file "$(winepath -w "$top/samples/hello/nodes.json")" | tr -d '\r')
[ "$got" = "$want" ] || die "detect-arch prints $got; here $want"
ok "detect-arch: ${got%%$'\n'*}"
