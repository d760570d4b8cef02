#!/usr/bin/env bash
# bootstrap.sh OUT: builds the taskwire tool, which builds everything else. If Go is missing, too old, or cannot reach its
# module registry, the script says so in one line.
set -uo pipefail
out=$1
cd "$(dirname "$0")/.."
command -v go >/dev/null || { echo "taskwire: Go is not installed or not on the PATH (https://go.dev/dl)" >&2; exit 1; }
want=$(sed -n 's/^go //p' go.work)
have=$(go env GOVERSION | sed 's/^go//')
if [ "$(printf '%s\n%s\n' "$want" "${have%%[-+ ]*}" | sort -V | head -n 1)" != "$want" ]; then
  echo "taskwire: Go $want or later is needed; $(command -v go) is $have" >&2; exit 1
fi
mkdir -p "$(dirname "$out")" || { echo "taskwire: cannot write $(dirname "$out")" >&2; exit 1; }
errors=$(mktemp)
trap 'rm -f "$errors"' EXIT
[ -x "$out" ] || echo "building the taskwire tool (its modules are fetched the first time) …" >&2
go build -trimpath -o "$out.$$" ./cmd/taskwire 2>"$errors" && mv -f "$out.$$" "$out" && exit 0
rm -f "$out.$$"
if grep -qE 'dial tcp|no such host|proxyconnect|i/o timeout|connection refused|TLS handshake|GOPROXY list is not the empty string|module lookup disabled|network is unreachable' "$errors"; then
  echo "taskwire: Go's module registry cannot be reached (GOPROXY=$(go env GOPROXY)). Set GOPROXY to one that can, then run make again. Go said:" >&2
  grep -vE '^go: downloading' "$errors" | head -n 3 >&2
else
  grep -vE '^go: downloading' "$errors" >&2
fi
exit 1
