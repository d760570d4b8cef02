#!/usr/bin/env bash
# Reads the stored export of services/task-api with two other implementations of iCalendar, ical.js and python-dateutil with
# python-icalendar, and compares their readings with the stored ones, to which TestOtherProgramsSeeTheSameOccurrences holds the export.
# `interop.sh update` stores the readings. It installs ical.js with npm from its lock file, and the Python packages with apt as root.
set -euo pipefail
cd "$(dirname "$0")/../services/task-api/internal/exchange/testdata/interop"
python=/usr/bin/python3 # Debian's, for which apt installs packages
if ! "$python" -c 'import dateutil, icalendar' 2>/dev/null; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "missing: the Debian packages python3-dateutil and python3-icalendar" >&2
    exit 77
  fi
  apt-get install -y -qq --no-install-recommends python3-dateutil python3-icalendar >/dev/null
fi
command -v npm >/dev/null || { echo "missing: node and npm" >&2; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp package.json package-lock.json read.mjs "$work"
(cd "$work" && npm ci --silent --no-audit --no-fund --ignore-scripts)
node "$work/read.mjs" tasks.ics >"$work/icaljs.jsonl"
"$python" read.py tasks.ics >"$work/dateutil.jsonl"
for readings in icaljs.jsonl dateutil.jsonl; do
  if [ "${1:-}" = update ]; then
    cp "$work/$readings" "$readings"
  else
    diff -u "$readings" "$work/$readings" || { echo "$readings is not what the program reads: make interop UPDATE=1" >&2; exit 1; }
  fi
done
echo "ical.js and python-dateutil read $(wc -l <icaljs.jsonl) tasks as stored"
