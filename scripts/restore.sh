#!/usr/bin/env bash
# restore.sh DIR: puts a backup of backup.sh into the four databases, which are there (`taskwire up` makes them) and whose
# services are stopped.
#
# DATABASE_URL   superuser, as postgres://…/postgres
#
# All or nothing for each database: a dump that does not fit leaves it as it was. What it means for the events that were
# published after the backup: docs/runbook.md#back-up-and-restore.
set -euo pipefail
[ $# = 1 ] || { sed -n '2,9p' "$0" >&2; exit 2; }
: "${DATABASE_URL:?is the address of Postgres for its superuser}"
dir=$1
command -v pg_restore >/dev/null || { echo "restore: pg_restore is missing. Debian: apt-get install postgresql-client" >&2; exit 1; }
at() { sed -E "s#^([a-z]+://[^/]+/)[^?]*#\1$1#" <<<"$DATABASE_URL"; }
# The password goes by the environment: a command line is there for everybody on the machine to read.
if [[ $DATABASE_URL =~ ^([a-z]+://[^:@/]+):([^@]*)@(.*)$ ]]; then
  PGPASSWORD=$(printf '%b' "${BASH_REMATCH[2]//%/\\x}")
  export PGPASSWORD
  DATABASE_URL=${BASH_REMATCH[1]}@${BASH_REMATCH[3]}
fi
(cd "$dir" && sha256sum --quiet --strict -c SHA256SUMS) || { echo "restore: $dir is damaged" >&2; exit 1; }

databases=(tasks audit notifications dapr_state)
in_use=$(psql -XAtq "$DATABASE_URL" -c "SELECT DISTINCT datname || ' by ' || usename || ' (' || application_name || ')' FROM pg_stat_activity
  WHERE datname IN ('tasks', 'audit', 'notifications', 'dapr_state') AND pid <> pg_backend_pid()")
[ -z "$in_use" ] || { printf 'restore: stop the services first. In use:\n%s\n' "$in_use" >&2; exit 1; }
for database in "${databases[@]}"; do
  echo "restore $database"
  pg_restore --clean --if-exists --exit-on-error --single-transaction --dbname="$(at "$database")" "$dir/$database.dump"
done
echo "restored the backup of $(cat "$dir/began"). Start the services."
