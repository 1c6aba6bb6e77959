#!/usr/bin/env bash
# mirror.sh VERSION: push the tag, and the history before it, to the project
# gitlab.com/polyarch/polyarch, where GITLAB_TOKEN may write. Its .gitlab-ci.yml
# puts the components into the catalog, which takes none but a pipeline's.
set -euo pipefail
cd "$(dirname "$0")/.."

version=${1:?usage: hack/mirror.sh v1.2.3}
if [ -z "${GITLAB_TOKEN:-}" ]; then
  echo "::warning title=release::the GitLab components were not published: there is no secret GITLAB_TOKEN; push $version to gitlab.com/polyarch/polyarch"
  exit
fi
[ "$(git rev-parse --is-shallow-repository)" = false ] || git fetch --quiet --unshallow origin
authorization=$(printf 'oauth2:%s' "$GITLAB_TOKEN" | base64 | tr -d '\n')
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=http.https://gitlab.com/.extraheader GIT_CONFIG_VALUE_0="Authorization: basic $authorization"
git push --quiet https://gitlab.com/polyarch/polyarch.git "refs/tags/$version"
