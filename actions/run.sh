#!/usr/bin/env bash
# run.sh PROGRAM: runs a program of polyarch as a step of a GitHub action.
#
#   POLYARCH_FLAG_DRY_RUN=true   becomes --dry-run=true; an empty value is left out
#   POLYARCH_WORDS, _FILES       arguments
#   POLYARCH_COMMAND             a bash script for after --
#   POLYARCH_PROGRAM_PATH        where the program is; without it, install.sh puts it somewhere
#
# A value is one word whatever it holds: nothing here is evaluated.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
program=$1
path=${POLYARCH_PROGRAM_PATH:-$("$here/install.sh" "$program")}

# writing is what the step is for, unless it only looks
# shellcheck disable=SC2034 # it is used below, by its name
case ${POLYARCH_FLAG_CHECK:-}${POLYARCH_FLAG_DIFF:-} in *true*) POLYARCH_FLAG_WRITE='' ;; esac

words=("$path" --github)
for name in "${!POLYARCH_FLAG_@}"; do
  [ -n "${!name}" ] || continue
  flag=$(tr 'A-Z_' 'a-z-' <<< "${name#POLYARCH_FLAG_}")
  words+=("--$flag=${!name}")
done

# argument WORD: one that is no flag, since flags have inputs of their own.
argument() {
  case $1 in
    -*)
      echo "::error title=$program::running $program: the argument \"${1//'%'/%25}\" starts with -" >&2
      exit 2
      ;;
  esac
  words+=("$1")
}

# words are separated by commas, blanks and line breaks
set -f
for word in $(tr ',\r' '  ' <<< "${POLYARCH_WORDS:-}"); do argument "$word"; done
set +f

# files are on a line each, and * is expanded; one that matches nothing stays
IFS=$'\n'
# shellcheck disable=SC2013,SC2046 # lines are split and expanded on purpose
for file in $(sed -e 's/[[:space:]]*$//' -e 's/^[[:space:]]*//' <<< "${POLYARCH_FILES:-}"); do argument "$file"; done
unset IFS

[ -z "${POLYARCH_COMMAND:-}" ] || words+=(-- bash -euo pipefail -c "$POLYARCH_COMMAND")
exec "${words[@]}"
