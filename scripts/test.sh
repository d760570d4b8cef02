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
run() { "$bin/gotestsum" --format pkgname-and-test-fails --format-hide-empty-pkg -- $race -timeout 20m "$@"; }

# daprd's own tests, outside the workspace, with the flags of its build so that nothing is compiled twice.
sidecar() { (cd tools/daprd && GOWORK=off CGO_ENABLED=0 "$bin/gotestsum" --format pkgname-and-test-fails -- -trimpath ./...); }

failed=0
case $what in
  some) run ${3:+-run "$3"} "${2:-./...}"; exit ;;
  unit) run $(unit) || failed=1
        sidecar || failed=1 ;;
  e2e)  run -p 1 ./e2e/... || failed=1 ;;
  all)  run $(unit) || failed=1
        sidecar || failed=1
        run -p 1 ./e2e/... || failed=1 ;;
  *) echo "test.sh all|unit|e2e|some" >&2; exit 2 ;;
esac
[ -n "$race" ] || echo "note: without the race detector (no C compiler)"
exit $failed
