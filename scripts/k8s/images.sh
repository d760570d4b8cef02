#!/usr/bin/env bash
# images.sh TAG [REF]: builds the services and taskwire as static binaries and loads them into the lab's cluster as
# localhost/taskwire/NAME:TAG. With REF they are those of that commit, from a copy of its tree.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/k8s/lib.sh
tag=$1 ref=${2:-}
root=$PWD out=$WORK/images/$tag
mkdir -p "$out"
if [ -n "$ref" ]; then
  root=$WORK/tree/$tag
  rm -rf "$root"; mkdir -p "$root"
  git archive "$ref" | tar -x -C "$root"
fi
for name in $APPS taskwire; do
  package=./services/$name
  [ "$name" != taskwire ] || package=./cmd/taskwire
  (cd "$root" && CGO_ENABLED=0 GOOS=linux go build -trimpath -buildvcs=false -ldflags '-s -w' -o "$out/$name.new" "$package")
  # The same file keeps its time, so that an image which is loaded already is not loaded again.
  cmp -s "$out/$name.new" "$out/$name" && rm "$out/$name.new" || mv -f "$out/$name.new" "$out/$name"
  IMAGE_PATH=/service "$K8S_LAB/make-image.sh" binary "localhost/taskwire/$name:$tag" "$out/$name" >/dev/null 2>"$WORK/image.log" ||
    { cat "$WORK/image.log" >&2; fail "the image of $name could not be made"; }
  say "localhost/taskwire/$name:$tag"
done
