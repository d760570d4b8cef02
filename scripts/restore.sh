#!/usr/bin/env bash
# restore.sh DIR: restores a backup of backup.sh into the four databases. They must exist (`taskwire up` creates them) and
# the services must be stopped.
#
# DATABASE_URL   address of Postgres for a superuser, as postgres://…/postgres
#
# Each database is restored in one transaction, so a dump that fails leaves it unchanged. docs/runbook.md#back-up-and-restore
# says what a restore means for the events that were published after the backup.
set -euo pipefail
[ $# = 1 ] || { sed -n '2,8p' "$0" >&2; exit 2; }
: "${DATABASE_URL:?must be the address of Postgres for a superuser}"
dir=$1
command -v pg_restore >/dev/null || { echo "restore: pg_restore is missing. Debian: apt-get install postgresql-client" >&2; exit 1; }
at() { sed -E "s#^([a-z]+://[^/]+/)[^?]*#\1$1#" <<<"$DATABASE_URL"; }
# The password is passed in the environment, because every user of the machine can read a command line.
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
