#!/usr/bin/env bash
# compose-test.sh: tests docker-compose.yml; the doc of e2e/compose says how. It builds the files of the images and Caddy.
# The tests need root for network and mount namespaces: they run directly as root, or with sudo if it asks for no password.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/.taskwire/bin arch=$(go env GOARCH)
for tool in ip curl; do command -v $tool >/dev/null || { echo "compose-test: $tool is needed (apt: iproute2, curl)" >&2; exit 1; }; done
as_root=()
if [ "$(id -u)" != 0 ]; then
  sudo -n true 2>/dev/null || { echo "compose-test: root is needed for network and mount namespaces, and sudo asks for a password" >&2; exit 1; }
  as_root=(sudo -n env "PATH=$PATH" "HOME=$HOME" "GOCACHE=$(go env GOCACHE)" "GOMODCACHE=$(go env GOMODCACHE)" COMPOSE_TEST_RUN=1)
fi
for name in task-api recurring-task audit audit-signer notification websocket taskwire daprd; do
  scripts/image-build.sh "$name" ".taskwire/images/trees/$arch/$name"
done
(cd tools/caddy && GOWORK=off CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$bin/caddy" .)
make -s taskwire # the tour runs `taskwire watch`
cd e2e/compose
GOWORK=off go test -c -o "$bin/compose.test" .
COMPOSE_TEST_RUN=1 "${as_root[@]}" "$bin/compose.test" -test.v -test.timeout 20m -test.failfast
