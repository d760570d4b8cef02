#!/usr/bin/env bash
# readme.sh: follows README.md: `make up` (here detached, with its own folder and port), the tours of README.md and
# docs/api.md word for word, and `make down`. Then it checks that no process is left.
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
if left=$(pgrep -af "$data"); then echo "make down left these processes running:"; echo "$left"; exit 1; fi
echo "readme: make up, the tours and make down work"
