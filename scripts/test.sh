#!/usr/bin/env bash
# test.sh all|unit|e2e|some [PKG] [RUN]: the tests on the real parts, with the race detector and a closing summary.
set -euo pipefail
cd "$(dirname "$0")/.."
what=$1
bin=$PWD/.taskwire/bin
export TASKWIRE_DAPRD=${TASKWIRE_DAPRD:-$bin/daprd}

# The race detector needs a C compiler. As root on a Debian system it is installed by name; where there is none to
# be had the tests still run, and the last line says that they ran without it.
race=-race
if ! command -v "$(go env CC | cut -d' ' -f1)" >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing gcc, which the race detector needs …"
    apt-get update -qq && apt-get install -y -qq gcc libc6-dev >/dev/null
  else
    race=; echo "no C compiler: running without the race detector"
  fi
fi
[ -z "$race" ] || export CGO_ENABLED=1 GORACE="${GORACE:-atexit_sleep_ms=50}" # else every process of a test takes a second to end

unit() { go list work | grep -v '^github.com/taskwire/taskwire/e2e'; }
run() { "$bin/gotestsum" --format pkgname-and-test-fails --format-hide-empty-pkg -- $race -timeout "${TEST_TIMEOUT:-20m}" "$@"; }

# daprd's own tests, outside the workspace, with the flags of its build so that nothing is compiled twice.
sidecar() { (cd tools/daprd && GOWORK=off CGO_ENABLED=0 "$bin/gotestsum" --format pkgname-and-test-fails -- -trimpath ./...); }

# part NAME COMMAND…: runs a part of the tests and keeps a line for the closing summary.
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
  part "unit, store and contract" run $(unit)
  part "daprd" sidecar
fi
[ "$what" = unit ] || part "whole stack" run -p 1 ./e2e/...
printf '\n'; printf '%s\n' "${summary[@]}"
[ -n "$race" ] || echo "note: without the race detector (no C compiler)"
exit $failed
