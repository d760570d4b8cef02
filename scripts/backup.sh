#!/usr/bin/env bash
# backup.sh DIR: dumps Taskwire's databases into DIR, which must not exist, while everything runs.
#
# DATABASE_URL   superuser (or a role that may read all four databases), as postgres://…/postgres
# KAFKA_BROKERS  host:port, with commas between
# WAIT           how long the consumers may take to catch up; default 5m
#
# The order is what makes it whole (docs/runbook.md#back-up-and-restore): first the tasks with their outbox, at one
# instant T; then the consumers take what was published until then; then their databases. So every event committed
# before T is in the outbox of the first dump or in the effects of the others.
set -euo pipefail
[ $# = 1 ] || { sed -n '2,12p' "$0" >&2; exit 2; }
: "${DATABASE_URL:?is the address of Postgres for its superuser}" "${KAFKA_BROKERS:?is the address of Kafka}"
dir=$1
bin=$(cd "$(dirname "$0")/.." && pwd)/.taskwire/bin
PATH=$bin:$PATH
command -v pg_dump >/dev/null || { echo "backup: pg_dump is missing. Debian: apt-get install postgresql-client" >&2; exit 1; }
[ ! -e "$dir" ] || { echo "backup: $dir is there already; a backup is never written over another" >&2; exit 1; }

# at DATABASE: the address of another database on the server.
at() { sed -E "s#^([a-z]+://[^/]+/)[^?]*#\1$1#" <<<"$DATABASE_URL"; }
# The password goes by the environment: a command line is there for everybody on the machine to read.
if [[ $DATABASE_URL =~ ^([a-z]+://[^:@/]+):([^@]*)@(.*)$ ]]; then
  PGPASSWORD=$(printf '%b' "${BASH_REMATCH[2]//%/\\x}")
  export PGPASSWORD
  DATABASE_URL=${BASH_REMATCH[1]}@${BASH_REMATCH[3]}
fi
dump() { echo "dump $1"; pg_dump --format=custom --file="$part/$1.dump" "$(at "$1")"; }

umask 077 # it holds everybody's tasks and the hashes of their passwords
part=$dir.part
rm -rf "$part"; mkdir -p "$part"
date -u +%Y-%m-%dT%H:%M:%SZ >"$part/began"
dump tasks
echo "wait for the consumers"
taskwire consumers --brokers "$KAFKA_BROKERS" --wait "${WAIT:-5m}" >"$part/consumers"
for database in audit notifications dapr_state; do dump "$database"; done
(cd "$part" && sha256sum ./*.dump >SHA256SUMS)
mv "$part" "$dir"
echo "backup of $(cat "$dir/began") in $dir ($(du -sh "$dir" | cut -f1))"
