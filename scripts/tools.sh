#!/usr/bin/env bash
# tools.sh BIN: builds the pinned development tools of tools/dev into BIN. A stamp of go.mod, go.sum and the version of Go
# tells whether they are up to date.
set -euo pipefail
bin=$1
cd "$(dirname "$0")/../tools/dev"
stamp=$( (cat go.mod go.sum; go env GOVERSION) | sha256sum | cut -c1-16)
[ "$(cat "$bin/.tools" 2>/dev/null)" != "$stamp" ] || exit 0
mkdir -p "$bin"
echo "building golangci-lint, gotestsum and govulncheck (some minutes, once) …" >&2
GOWORK=off CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$bin/" $(sed -n '/^tool (/,/^)/p' go.mod | sed '1d;$d')
echo "$stamp" >"$bin/.tools"
