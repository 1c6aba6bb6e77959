#!/usr/bin/env bash
# move-tags.sh VERSION: move v1 and v1.2 of the remote origin to the release
# v1.2.3. A tag stays where it is if a newer release of its line is there, and so
# do all of them for v1.2.3-rc.1. The release workflow ignores these tags.
set -euo pipefail

version=${1:?usage: hack/move-tags.sh v1.2.3}
case $version in *-*) echo "move-tags: $version is a pre-release: nothing moves"; exit ;; esac
[[ $version =~ ^(v[0-9]+)\.[0-9]+\.[0-9]+$ ]] || { echo "move-tags: error: $version is not like v1.2.3" >&2; exit 2; }

commit=$(git rev-parse --verify --quiet "refs/tags/$version^{commit}") || { echo "move-tags: error: there is no tag $version" >&2; exit 1; }
releases=$(git ls-remote --tags --refs origin 'v*' | sed 's#.*refs/tags/##' | grep -E '^v[0-9]+\.[0-9]+\.[0-9]+$')
moves=()
for line in "${BASH_REMATCH[1]}" "${version%.*}"; do
  newest=$(grep -F "$line." <<< "$releases" | grep "^$line\." | sort -V | tail -n 1)
  if [ "$newest" = "$version" ]; then
    moves+=("$commit:refs/tags/$line")
  else
    echo "move-tags: $line stays at $newest"
  fi
done
[ ${#moves[@]} = 0 ] || git push --force --atomic origin "${moves[@]}"
