#!/usr/bin/env bash
# repeat-changed.sh: runs the tests of each changed package again and again, to find those that fail only sometimes.
#
#   REPEAT_COUNT=20   rounds for each package
#   REPEAT_TIME=300   seconds after which no further round is started; the build of the test binaries counts
#   REPEAT_BASE=REF   what the working tree is compared with. Default: where this branch left main, or on main itself the
#                     commit before
#
# A round runs a package's tests once with -race -short. The first round of every package comes before the second of any,
# in random order, so a change of the whole repository costs no more time than another one: its packages get fewer rounds.
# What got no round, or not all, is named at the end. A package that has passed all its rounds is not run again on this
# machine until a file in its folder changes: the notes are empty files in the user's cache folder.
#
# Left out are the tests of the whole stack (e2e), which take minutes, and the modules outside the workspace.
set -euo pipefail
cd "$(dirname "$0")/.."
count=${REPEAT_COUNT:-20} limit=${REPEAT_TIME:-300}
notes=${XDG_CACHE_HOME:-$HOME/.cache}/taskwire/repeated
export TASKWIRE_DAPRD=${TASKWIRE_DAPRD:-$PWD/.taskwire/bin/daprd}
. scripts/race.sh
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mkdir -p "$notes"

base=${REPEAT_BASE:-}
if [ -z "$base" ]; then
  head=$(git rev-parse HEAD)
  for main in origin/main main; do
    base=$(git merge-base HEAD "$main" 2>/dev/null) && break
  done
  if [ -z "$base" ] || [ "$base" = "$head" ]; then
    base=$(git rev-parse -q --verify HEAD~1) || { echo "repeat: nothing to compare with: this is the first commit"; exit 0; }
  fi
fi

# The folders of the changed files. A file in testdata belongs to the package above it.
folders=$( { git diff --name-only --diff-filter=d "$base" --; git ls-files --others --exclude-standard; } |
  { grep -E '\.go$|(^|/)testdata/' || true; } | sed -E 's#/testdata/.*#/x#' | xargs -rn1 dirname | sort -u)
packages=()
for folder in $folders; do
  case $folder in
    e2e|e2e/*) ;;
    *) ls "$folder"/*_test.go >/dev/null 2>&1 && go list "./$folder" >/dev/null 2>&1 && packages+=("$folder") ;;
  esac
done

# key FOLDER: names a package with exactly these files, this Go and this number of rounds.
key() { { go version; echo "$1 $count"; find "$1" -maxdepth 1 -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum; } | sha256sum | cut -d' ' -f1; }

declare -A rounds=()
todo=() known=0
for package in ${packages[@]+"${packages[@]}"}; do
  if [ -e "$notes/$(key "$package")" ]; then known=$((known + 1)); else todo+=("$package"); rounds[$package]=0; fi
done
echo "repeat: ${#packages[@]} changed packages since $(git rev-parse --short "$base"), of which $known have passed before; $count rounds, at most ${limit}s"

# one PACKAGE: one round, from a binary that is built in the first one.
one() {
  local binary=$work/${1//\//+}.test
  if [ ! -x "$binary" ]; then
    go test $race -c -o "$binary" "./$1" || return 1
    [ -x "$binary" ] || return 0 # no test on this system
  fi
  (cd "$1" && "$binary" -test.short -test.timeout 2m)
}

failed=()
for ((round = 1; round <= count && ${#todo[@]} > 0; round++)); do
  mapfile -t todo < <(printf '%s\n' "${todo[@]}" | shuf)
  again=()
  for package in "${todo[@]}"; do
    [ "$SECONDS" -lt "$limit" ] || break 2
    if one "$package" >"$work/out" 2>&1; then
      rounds[$package]=$round; again+=("$package")
      [ "$round" -lt "$count" ] || : >"$notes/$(key "$package")"
    else
      echo "  FAIL  $package in round $round"; sed 's/^/        /' "$work/out"; failed+=("$package")
    fi
  done
  todo=(${again[@]+"${again[@]}"})
done

for package in ${packages[@]+"${packages[@]}"}; do
  case " ${failed[*]-} " in *" $package "*) continue ;; esac
  n=${rounds[$package]-passed}
  case $n in
    passed|"$count") ;;
    0) echo "  left out  $package: the time was up" ;;
    *) echo "  $n of $count  $package: the time was up" ;;
  esac
done
[ ${#failed[@]} -eq 0 ] || { echo "repeat: these fail sometimes, so they are wrong: ${failed[*]}" >&2; exit 1; }
echo "repeat: no failure in ${SECONDS}s"
