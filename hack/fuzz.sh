#!/usr/bin/env bash
# fuzz.sh [TIME] [PATTERN]: runs every fuzz target of every module for TIME
# (default 5s), or those whose name matches the regular expression PATTERN. Each
# starts from the committed corpus (testdata/fuzz and the target's own f.Add), so
# a run tells the same on every machine. A failing input is left in testdata/fuzz.
# With FUZZRESULTS=FILE each target's result is added to the file as it ends, and
# targets that are ok there are left out: a long run can be stopped and taken up.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-5s}
pattern=${2:-.}
top=$PWD

results=${FUZZRESULTS:-}
[ -z "$results" ] || { touch "$results" && results=$(realpath "$results"); }

# say LINE: a target's result.
say() {
  echo "$1"
  [ -z "$results" ] || echo "$1" >> "$results"
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
bad=0
ran=0

# fuzz PROGRAM TARGET: in the package's folder, which is where its corpus is.
fuzz() {
  local log
  for attempt in 1 2; do
    rm -rf "$scratch/cache"
    if log=$("$1" -test.run='^$' -test.fuzz="^$2\$" -test.fuzztime="$time" -test.fuzzcachedir="$scratch/cache" 2>&1); then
      say "fuzz: ok    $2 in $dir: $time, $(grep -oE 'execs: [0-9]+' <<< "$log" | tail -1), $(grep -oE 'new interesting: [0-9]+' <<< "$log" | tail -1)"
      return
    fi
    # golang.org/issue/75804: the end of the time itself is at times reported as a failure
    grep -q 'Failing input written' <<< "$log" || ! grep -q 'context deadline exceeded' <<< "$log" && break
    [ "$attempt" = 2 ] || echo "fuzz: again $2 in $dir: the end of its time was taken for a failure"
  done
  say "fuzz: FAIL  $2 in $dir"$'\n'"$log"
  bad=1
}

# A package with a fuzz target, by its text; which targets there are, its test program says.
mapfile -t dirs < <(git grep --untracked -lE '^func Fuzz[^(]*\(' -- '*_test.go' ':!*/testdata/*' | xargs -r -n1 dirname | sort -u)
for dir in "${dirs[@]}"; do
  cd "$top/$dir"
  program=$scratch/fuzz.test
  # -fuzz instruments the program; it is not run here
  go test -c -fuzz=Fuzz -o "$program" .
  targets=$("$program" -test.list '^Fuzz')
  [ -n "$targets" ] || { echo "fuzz: skip  $dir: none of its targets is built for this system"; continue; }
  for target in $targets; do
    [[ $target =~ $pattern ]] || continue
    if [ -n "$results" ] && grep -qF "fuzz: ok    $target in $dir: $time," "$results"; then
      echo "fuzz: done  $target in $dir, by $results"
      ran=$((ran + 1))
      continue
    fi
    fuzz "$program" "$target"
    ran=$((ran + 1))
  done
done
[ "$ran" -gt 0 ] || { echo "fuzz: FAIL  there is no target that matches $pattern"; exit 1; }
echo "fuzz: $ran targets for $time each"
exit $bad
