#!/usr/bin/env bash
# backup.sh DIR: dumps the databases of a running Taskwire into DIR, which must not exist.
#
# DATABASE_URL   address of Postgres as postgres://…/postgres, for a superuser or a role that may read all four databases
# KAFKA_BROKERS  host:port, separated by commas, with KAFKA_USERNAME and KAFKA_PASSWORD; without it the broker of `make up`
# WAIT           how long the consumers may take to catch up (default 5m)
#
# The order makes the backup complete (docs/runbook.md#back-up-and-restore). First it dumps the tasks with their outbox, at
# one instant T. Then it waits until the consumers have taken everything published until then, and dumps their databases.
# So each event committed before T is in the outbox of the first dump, or its effects are in the other dumps.
set -euo pipefail
[ $# = 1 ] || { sed -n '2,10p' "$0" >&2; exit 2; }
: "${DATABASE_URL:?must be the address of Postgres for a superuser}"
dir=$1
bin=$(cd "$(dirname "$0")/.." && pwd)/.taskwire/bin
PATH=$bin:$PATH
command -v pg_dump >/dev/null || { echo "backup: pg_dump is missing. Debian: apt-get install postgresql-client" >&2; exit 1; }
[ ! -e "$dir" ] || { echo "backup: $dir exists already; a backup never overwrites another" >&2; exit 1; }

# at DATABASE: prints the address of another database on the server.
at() { sed -E "s#^([a-z]+://[^/]+/)[^?]*#\1$1#" <<<"$DATABASE_URL"; }
# The password is passed in the environment, because every user of the machine can read a command line.
if [[ $DATABASE_URL =~ ^([a-z]+://[^:@/]+):([^@]*)@(.*)$ ]]; then
  PGPASSWORD=$(printf '%b' "${BASH_REMATCH[2]//%/\\x}")
  export PGPASSWORD
  DATABASE_URL=${BASH_REMATCH[1]}@${BASH_REMATCH[3]}
fi
dump() { echo "dump $1"; pg_dump --format=custom --file="$part/$1.dump" "$(at "$1")"; }

umask 077 # the dumps hold all tasks and the hashes of all passwords
part=$dir.part
rm -rf "$part"; mkdir -p "$part"
date -u +%Y-%m-%dT%H:%M:%SZ >"$part/began"
dump tasks
echo "wait for the consumers"
taskwire consumers --wait "${WAIT:-5m}" >"$part/consumers"
for database in audit notifications dapr_state; do dump "$database"; done
(cd "$part" && sha256sum ./*.dump >SHA256SUMS)
mv "$part" "$dir"
echo "backup of $(cat "$dir/began") in $dir ($(du -sh "$dir" | cut -f1))"
