#!/usr/bin/env bash
# tour.sh [URL] [FILE…]: runs the tours of these documents word for word (the README's and docs/api.md's where none is
# named), every block between the two tour marks, against a running Taskwire. Each block's output is printed; the blocks
# themselves fail the script where an answer is not as told.
set -euo pipefail
cd "$(dirname "$0")/.."
export TASKWIRE_URL=${1:-${TASKWIRE_URL:-http://localhost:8080}}
shift || true
[ $# -gt 0 ] || set -- README.md docs/api.md
for file in "$@"; do
  script=$(sed -n '/<!-- tour:start -->/,/<!-- tour:end -->/p' "$file" | awk '/^```sh$/{on=1;next} /^```$/{on=0} on')
  [ -n "$script" ] || { echo "tour: $file has no tour" >&2; exit 1; }
  PATH="$PWD/.taskwire/bin:$PATH" bash -euo pipefail -c "$script"
  echo "tour: $file done"
done
