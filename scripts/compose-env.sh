#!/usr/bin/env bash
# compose-env.sh [FILE]: writes FILE (default .env) from .env.example, with new secrets. It leaves an existing file alone.
set -euo pipefail
cd "$(dirname "$0")/.."
file=${1:-.env}
[ ! -e "$file" ] || { echo "$file exists already and stays unchanged"; exit 0; }
umask 077
while IFS= read -r line; do
  case $line in
    POSTGRES_PASSWORD=|KAFKA_ADMIN_PASSWORD=|APP_API_TOKEN=|DAPR_API_TOKEN=|GRAFANA_PASSWORD=) line+=$(od -An -vtx1 -N32 /dev/urandom | tr -d ' \n') ;;
  esac
  printf '%s\n' "$line"
done <.env.example >"$file.new"
mv "$file.new" "$file"
echo "wrote $file with new secrets"
