#!/usr/bin/env bash
# test.sh all|unit|e2e|some [PKG] [RUN]: runs the tests on the real parts, with the race detector, and prints a summary.
#   all    every test of the workspace, the sidecar and the repository's rules
#   unit   the same without the whole-stack tests and without the slow ones (-short)
#   e2e    the whole-stack tests
#   some   the packages PKG (default: those of the current module), only the tests that match RUN
set -euo pipefail
cd "$(dirname "$0")/.."
what=$1
bin=$PWD/.taskwire/bin
export TASKWIRE_DAPRD=${TASKWIRE_DAPRD:-$bin/daprd}

. scripts/race.sh

# Packages at a time: one more than there are processors, because tests wait for processes and timers a third of the time.
packages=$(($(getconf _NPROCESSORS_ONLN) + 1))

unit() { go list work | grep -v '^github.com/taskwire/taskwire/e2e'; }
# Without go vet, which is one of the linters.
run() { "$bin/gotestsum" --format pkgname-and-test-fails --format-hide-empty-pkg -- $race -vet=off -timeout "${TEST_TIMEOUT:-20m}" "$@"; }

# The tests of two modules outside the workspace. daprd's use the flags of its build, so that nothing is compiled twice.
rules() { (cd tools/repo && GOWORK=off "$bin/gotestsum" --format pkgname-and-test-fails --format-hide-empty-pkg -- ./...); }
sidecar() { (cd tools/daprd && GOWORK=off CGO_ENABLED=0 "$bin/gotestsum" --format pkgname-and-test-fails -- -trimpath ./...); }

# part NAME COMMAND…: runs a part of the tests and adds a line to the summary.
failed=0 summary=()
said=$(mktemp)
trap 'rm -f "$said"' EXIT
part() {
  local name=$1 mark=ok; shift
  printf '\n== %s\n' "$name"
  "$@" 2>&1 | tee "$said" || { mark=FAIL; failed=1; }
  summary+=("$(printf '%-6s%-34s%s' "$mark" "$name" "$(grep '^DONE ' "$said" | tail -n 1 | cut -d' ' -f2-)")")
}

case $what in
  some) run ${3:+-run "$3"} "${2:-./...}"; exit ;;
  unit|all|e2e) ;;
  *) echo "test.sh all|unit|e2e|some" >&2; exit 2 ;;
esac
if [ "$what" != e2e ]; then
  short=; [ "$what" != unit ] || short=-short
  part "rules of the repository" rules
  part "unit, store and contract" run -p "$packages" $short $(unit)
  part "daprd" sidecar
fi
# -count=1: Go's cache does not know the programs that these tests start.
[ "$what" = unit ] || part "whole stack" run -count=1 -p 1 ./e2e/...
printf '\n'; printf '%s\n' "${summary[@]}"
[ -n "$race" ] || echo "note: without the race detector (no C compiler)"
exit $failed
