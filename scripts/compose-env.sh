#!/usr/bin/env bash
# compose-env.sh [FILE]: writes FILE (default .env) from .env.example, with new secrets. In an existing file it changes nothing and
# adds the settings that are missing, which a new version may need.
set -euo pipefail
cd "$(dirname "$0")/.."
file=${1:-.env}
umask 077
new=$file.new
if [ -e "$file" ]; then
  cp "$file" "$new"
  [ -z "$(tail -c 1 "$new")" ] || echo >>"$new"
else
  : >"$new"
fi
added=()
while IFS= read -r line; do
  name=${line%%=*}
  case $line in
    \#*|"") [ -e "$file" ] || printf '%s\n' "$line" >>"$new"; continue ;;
    *_PASSWORD=|*_TOKEN=) line+=$(od -An -vtx1 -N32 /dev/urandom | tr -d ' \n') ;;
  esac
  [ ! -e "$file" ] || ! grep -q "^$name=" "$file" || continue
  printf '%s\n' "$line" >>"$new"
  added+=("$name")
done <.env.example
if [ ! -e "$file" ]; then
  echo "wrote $file with new secrets"
elif [ ${#added[@]} -gt 0 ]; then
  echo "$file: added ${added[*]}"
else
  echo "$file exists already and stays unchanged"
fi
mv "$new" "$file"
