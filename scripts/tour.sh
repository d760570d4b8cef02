#!/usr/bin/env bash
# tour.sh [URL]: runs the README's tour word for word, every block between the two tour marks, against a running
# Taskwire. Each block's output is printed; the blocks themselves fail the script where an answer is not as told.
set -euo pipefail
cd "$(dirname "$0")/.."
export TASKWIRE_URL=${1:-${TASKWIRE_URL:-http://localhost:8080}}
script=$(sed -n '/<!-- tour:start -->/,/<!-- tour:end -->/p' README.md | awk '/^```sh$/{on=1;next} /^```$/{on=0} on')
[ -n "$script" ] || { echo "tour: README.md has no tour" >&2; exit 1; }
PATH="$PWD/.taskwire/bin:$PATH" bash -euo pipefail -c "$script"
echo "tour: done"
