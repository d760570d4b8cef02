#!/usr/bin/env bash
# proven.sh [mark]: exits with 0 if `make k8s-test` has passed in full on this machine with exactly the files that it depends
# on now, and with 1 if one of them has changed since. `proven.sh mark` records that it has passed. The records are empty
# files in the user's cache folder, like Go's own record of tests that need not run again.
set -euo pipefail
cd "$(dirname "$0")/../.."
lab=${K8S_LAB:-}
# Without the tests of the packages, but with those of e2e/k8s.
files() {
  git ls-files -z --cached --others --exclude-standard -- k8s scripts/k8s scripts/image-build.sh scripts/tour.sh dapr-components e2e/client e2e/go.mod \
    e2e/go.sum services pkg local cmd tools/k8s go.work docs/api.md README.md ':!*_test.go' ':!*/testdata/*'
  git ls-files -z --cached --others --exclude-standard -- e2e/k8s
}
sums() { LC_ALL=C sort -z | xargs -0 sha256sum; }
key=$({ go version; files | sums; [ -z "$lab" ] || (cd "$lab" && find . -type f -print0 | sums); } | sha256sum)
note=${XDG_CACHE_HOME:-$HOME/.cache}/taskwire/k8s-test/${key%% *}
case ${1:-} in
  mark) mkdir -p "${note%/*}"; : >"$note" ;;
  "") [ -e "$note" ] ;;
  *) echo "proven.sh [mark]" >&2; exit 2 ;;
esac
