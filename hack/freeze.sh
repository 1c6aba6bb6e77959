#!/usr/bin/env bash
# freeze.sh VERSION: write the version of a release, v1.2.3 or v1.2.3-rc.1, into
# all that names one: actions/version, the Tasks, StepActions and Pipelines, the
# plugin of Helm, and every command and example of the documents. A second run
# changes nothing. After a release VERSION is dev: the actions build their own
# source again, and the documents go on naming the release.
set -euo pipefail
cd "$(dirname "$0")/.."

version=${1:?usage: hack/freeze.sh v1.2.3}
if [ "$version" = dev ]; then
  echo dev > actions/version
  exit
fi
[[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z]+(\.[0-9A-Za-z]+)*)?$ ]] ||
  { echo "freeze: error: $version is not like v1.2.3 or v1.2.3-rc.1" >&2; exit 2; }

# a version as it stands somewhere now: v1, v1.2, v1.2.3, v1.2.3-rc.1
any='v[0-9]+(\.[0-9]+){0,2}(-[0-9A-Za-z]+(\.[0-9A-Za-z]+)*)?'

echo "$version" > actions/version
git ls-files -z -- '*.md' '*.yml' '*.yaml' ':!:CHANGELOG.md' ':!:hack' ':!:test' ':!:**/testdata/**' |
  xargs -0 sed -i -E \
    -e "s#(polyarch/polyarch[A-Za-z0-9_./-]*@)$any#\1$version#g" \
    -e "s#(mirrors/polyarch/[a-z-]+@)$any#\1$version#g" \
    -e "s#(ghcr\.io/polyarch/[a-z-]+:)$any#\1$version#g" \
    -e "s#(polyarch/polyarch//[A-Za-z0-9_./-]+\?ref=)$any#\1$version#g" \
    -e "s#(raw\.githubusercontent\.com/polyarch/polyarch/)$any/#\1$version/#g" \
    -e "s#(polyarch/polyarch/releases/download/)$any/#\1$version/#g" \
    -e "s#(polyarch_)$any(_[a-z])#\1$version\5#g"
git ls-files -z -- tasks catalog |
  xargs -0 sed -i -E "s#(app\.kubernetes\.io/version: )\"[0-9][^\"]*\"#\1\"${version#v}\"#"
sed -i -E "s#^version: .*#version: ${version#v}#" catalog/helm/inject-affinity/plugin.yaml
