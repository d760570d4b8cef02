#!/usr/bin/env bash
# tour.sh [URL] [FILE…]: runs the tours of the files (default: README.md, docs/api.md and docs/audit.md) word for word against a running
# Taskwire. A tour is every shell block between the two tour marks. A block fails the script when an answer differs from
# the text.
set -euo pipefail
cd "$(dirname "$0")/.."
export TASKWIRE_URL=${1:-${TASKWIRE_URL:-http://localhost:8080}}
shift || true
[ $# -gt 0 ] || set -- README.md docs/api.md docs/audit.md
for file in "$@"; do
  script=$(sed -n '/<!-- tour:start -->/,/<!-- tour:end -->/p' "$file" | awk '/^```sh$/{on=1;next} /^```$/{on=0} on')
  [ -n "$script" ] || { echo "tour: $file has no tour" >&2; exit 1; }
  PATH="$PWD/.taskwire/bin:$PATH" bash -euo pipefail -c "$script"
  echo "tour: $file done"
done
