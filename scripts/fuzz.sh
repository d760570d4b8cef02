#!/usr/bin/env bash
# fuzz.sh [TIME]: runs each fuzz target of the repository for TIME (default 10s) and prints one line for each. It takes
# TIME for each target, plus the build of the packages with coverage. A target that fails prints its output, and Go keeps
# the input in the package's testdata/fuzz: commit it with the fix. Go would spend a minute to make each new input smaller, and
# run slow targets six times in ten seconds; ten attempts are enough.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-10s}
out=$(mktemp); trap 'rm -f "$out"' EXIT
failed=0 targets=0

# deadline FILE reports whether the only failure is the end of TIME. Before Go 1.27 the coordinator sometimes reports its own
# deadline as the failure of a target (golang/go#75804). A real failure names its input or prints a panic.
deadline() {
  grep -qx ' *context deadline exceeded' "$1" && ! grep -qE 'Failing input|panic|_test\.go:[0-9]+:|fuzzing process' "$1"
}

# Only packages with a target are built: go test -list builds the test binary of every package that it is given.
packages=$(git grep -l --untracked '^func Fuzz' -- '*_test.go' | xargs -rn1 dirname | sort -u)
for package in $packages; do
  module=$package
  while [ ! -f "$module/go.mod" ]; do module=$(dirname "$module"); done
  work=; grep -qE "^\s*(use )?\./$module\$" go.work || work=off # a module outside the workspace is built alone
  for target in $(cd "$package" && GOWORK=$work go test -list '^Fuzz' . | grep '^Fuzz'); do
    targets=$((targets + 1))
    if (cd "$package" && GOWORK=$work go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 10x .) >"$out" 2>&1; then
      echo "  ok    $target in $package: $(grep -oE 'execs: [0-9]+' "$out" | tail -n 1)"
    elif deadline "$out"; then
      echo "  ok    $target in $package: $(grep -oE 'execs: [0-9]+' "$out" | tail -n 1) (Go's coordinator reported its own deadline)"
    else
      echo "  FAIL  $target in $package"; sed 's/^/        /' "$out"; failed=1
    fi
  done
done
echo "fuzz: $targets targets, $time each"
[ "$targets" -gt 0 ] || { echo "fuzz: no target was found" >&2; exit 1; }
exit $failed
