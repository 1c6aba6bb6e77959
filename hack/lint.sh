#!/usr/bin/env bash
# lint.sh: everything that looks at the source without running it. Runs all
# checks, prints one line for each, and fails if any of them failed.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$(hack/install-tools.sh)
eval "$tools"
bad=0

check() { # check NAME COMMAND...: the command prints nothing unless it fails
  local name=$1 log
  shift
  if log=$("$@" 2>&1) && [ -z "$log" ]; then
    echo "lint: ok    $name"
  else
    printf 'lint: FAIL  %s\n%s\n' "$name" "$log"
    bad=1
  fi
}

modules=$(git ls-files --cached --others --exclude-standard -- 'go.mod' '*/go.mod' | xargs -r -n1 dirname)
scripts=$(git ls-files --cached --others --exclude-standard -- '*.sh' '.ci/run')
in_module() { (cd "$1" && shift && "$@"); }

# shellcheck disable=SC2046 # one argument a file
check gofmt gofmt -l $(git ls-files --cached --others --exclude-standard -- '*.go' ':!*/testdata/*')
for m in $modules; do
  # a module that only pins programs has no packages of its own
  [ -n "$(in_module "$m" go list ./... 2> /dev/null)" ] || continue
  check "go vet $m" in_module "$m" go vet ./...
  check "staticcheck $m" in_module "$m" "$STATICCHECK" ./...
done
check "go mod tidy" go mod tidy -diff
check actionlint "$ACTIONLINT"
snippets=$(mktemp -d)
trap 'rm -rf "$snippets"' EXIT
check "workflows in documents" go run ./hack/docs -workflows "$snippets"
check "actionlint in documents" "$ACTIONLINT" "$snippets"/*.yml
# shellcheck disable=SC2086 # one argument a file
check shellcheck shellcheck $scripts
check yamllint yamllint --strict .

# govulncheck needs its database, which is one HTTP server
if ! log=$("$GOVULNCHECK" ./... 2>&1); then
  case $log in
  *"fetching vulnerabilities"*) echo "lint: skip  govulncheck: its database cannot be reached: ${log##*: }" ;;
  *) printf 'lint: FAIL  govulncheck\n%s\n' "$log"; bad=1 ;;
  esac
else
  echo "lint: ok    govulncheck"
fi
exit $bad
