#!/usr/bin/env bash
# each.sh WHAT COMMAND… -- DIR…: runs the command in each module folder without the workspace (GOWORK=off). It prints the
# output of commands that fail, and fails if one did.
set -uo pipefail
what=$1; shift
cmd=()
while [ "$1" != -- ]; do cmd+=("$1"); shift; done
shift
failed=0
for dir in "$@"; do
  if out=$(cd "$dir" && GOWORK=off "${cmd[@]}" 2>&1); then
    echo "  ok    $what $dir"
  else
    echo "  FAIL  $what $dir"; printf '%s\n' "$out" | sed 's/^/        /'; failed=1
  fi
done
exit $failed
