#!/usr/bin/env bash
# vuln.sh: looks for known vulnerabilities that the code calls, and compares them with those that are accepted
# (.ci/vulnerabilities.txt). Scanned are the workspace, as the images are built from it, and the sidecar.
#
#   GOVULNDB=URL       another vulnerability database
#   VULN_REQUIRED=1    fail where the database cannot be reached. By default the script says so in one line and ends with
#                      0, because the network is no fault of the change that is checked; a release sets it
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/.taskwire/bin
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
(cd tools/repo && GOWORK=off go build -trimpath -o "$bin/vuln" ./vuln)

# scan NAME DIR PATTERN…: adds the findings of these packages to the others.
scan() {
  local name=$1 dir=$2 code=0; shift 2
  (cd "$dir" && "$bin/govulncheck" ${GOVULNDB:+-db "$GOVULNDB"} -format json "$@") >>"$work/found.json" 2>"$work/errors" || code=$?
  [ "$code" != 0 ] || { echo "  scanned    $name"; return; }
  if grep -qE 'fetching vulnerabilities|dial tcp|no such host|proxyconnect|i/o timeout|connection refused|TLS handshake' "$work/errors"; then
    echo "vuln: NOT RUN: the vulnerability database ${GOVULNDB:-https://vuln.go.dev} cannot be reached: $(grep -v '^$' "$work/errors" | tail -n 1 | cut -c1-200)"
    [ -z "${VULN_REQUIRED:-}" ] || exit 1
    exit 0
  fi
  cat "$work/errors" >&2
  exit 1
}
# govulncheck wants to be started in a module; the pattern names the packages of all modules of the workspace.
scan "the workspace" cmd/taskwire github.com/taskwire/taskwire/...
GOWORK=off scan "daprd and sentry" tools/daprd ./...
"$bin/vuln" .ci/vulnerabilities.txt <"$work/found.json"
