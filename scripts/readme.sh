#!/usr/bin/env bash
# Does what the README tells a newcomer: `make up` (here detached, in a folder and on a port of its own), then the
# tour and that of docs/api.md word for word, then `make down`, and proves that no process is left.
set -euo pipefail
cd "$(dirname "$0")/.."
data=$(mktemp -d)
port=${PORT:-$((20000 + RANDOM % 10000))}
export DATA=$data PORT=$port
trap 'make -s down >/dev/null 2>&1 || true; rm -rf "$data"' EXIT
make -s up DETACH=1
./scripts/tour.sh "http://localhost:$port"
make -s status
make -s down
if left=$(pgrep -af "$data"); then echo "left behind after make down:"; echo "$left"; exit 1; fi
echo "readme: make up, the tours and make down work"
