#!/usr/bin/env bash
# lint.sh: everything that looks at the source without running it. Runs all
# checks, prints one line for each, and fails if any of them failed.
# shellcheck disable=SC2317 # check calls functions by their name
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$(hack/install-tools.sh)
eval "$tools"
bad=0

# check NAME COMMAND...: its exit code is the answer; what it prints (go:
# downloading …) matters to nobody unless it fails.
check() {
  local name=$1 log
  shift
  if log=$("$@" 2>&1); then
    echo "lint: ok    $name"
  else
    printf 'lint: FAIL  %s\n%s\n' "$name" "$log"
    bad=1
  fi
}

# silent COMMAND...: for a check that succeeds whatever it finds, and prints
# that on standard output.
silent() {
  local found
  found=$("$@") || return
  [ -z "$found" ] || { echo "$found"; return 1; }
}

files() { git ls-files --cached --others --exclude-standard -- "$@" | while read -r f; do [ ! -e "$f" ] || echo "$f"; done; }
in_module() { (cd "$1" && shift && "$@"); }

# What nothing of ours but tests reaches is dead, unless it is made for tests.
dead() { "$DEADCODE" ./... > "$scratch/dead" && { grep -vE '^internal/(imagetest|cluster/clustertest)/' "$scratch/dead" || true; }; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mapfile -t modules < <(files 'go.mod' '*/go.mod' | xargs -r -n1 dirname)
mapfile -t scripts < <(files '*.sh' '.ci/run')
mapfile -t go_files < <(files '*.go' ':!*/testdata/*')
mapfile -t yaml_files < <(files '*.yaml' '*.yml')

check gofmt silent gofmt -l "${go_files[@]}"
for m in "${modules[@]}"; do
  # these pin programs of others; what is ours there hack/e2e.sh vets once it has built Kubernetes
  [[ $m != test/e2e/tools/* ]] || continue
  check "go mod download $m" in_module "$m" go mod download
  check "go mod tidy $m" in_module "$m" go mod tidy -diff
  check "go vet $m" in_module "$m" go vet ./...
  check "staticcheck $m" in_module "$m" "$STATICCHECK" ./...
done
for system in darwin/arm64 windows/amd64; do
  check "go vet for $system" env GOOS="${system%/*}" GOARCH="${system#*/}" go vet ./...
done
check deadcode silent dead
check "deadcode with tests" silent "$DEADCODE" -test ./...
check actionlint "$ACTIONLINT"
check "workflows in documents" go run ./hack/docs -workflows "$scratch"
check "actionlint in documents" "$ACTIONLINT" "$scratch"/*.yml
check zizmor "$ZIZMOR" --quiet --offline --no-progress --config .github/zizmor.yml .github action.yml actions
check "zizmor in documents" "$ZIZMOR" --quiet --offline --no-progress --config .github/zizmor.yml "$scratch"/*.yml
check shellcheck "$SHELLCHECK" "${scripts[@]}"
check yamllint "$YAMLLINT" --strict "${yaml_files[@]}"

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
