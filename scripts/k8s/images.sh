#!/usr/bin/env bash
# images.sh TAG [REF]: builds the services and taskwire as the images have them (scripts/image-build.sh) and loads them
# into the lab's cluster as localhost/taskwire/NAME:TAG. With REF they are those of that commit, from a copy of its tree.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/k8s/lib.sh
tag=$1 ref=${2:-}
root=$PWD out=$WORK/images/$tag
mkdir -p "$out"
COMMIT=$(git rev-parse "${ref:-HEAD}") VERSION=$tag
export COMMIT VERSION
if [ -n "$ref" ]; then
  root=$WORK/tree/$tag
  rm -rf "$root"; mkdir -p "$root"
  git archive "$ref" | tar -x -C "$root"
fi
for name in $APPS taskwire; do
  "$root/scripts/image-build.sh" "$name" "$out/$name.d"
  # The same file keeps its time, so that an image which is loaded already is not loaded again.
  cmp -s "$out/$name.d/root/$name" "$out/$name" || mv -f "$out/$name.d/root/$name" "$out/$name"
  rm -rf "$out/$name.d"
  IMAGE_PATH=/service "$K8S_LAB/make-image.sh" binary "localhost/taskwire/$name:$tag" "$out/$name" >/dev/null 2>"$WORK/image.log" ||
    { cat "$WORK/image.log" >&2; fail "the image of $name could not be made"; }
  say "localhost/taskwire/$name:$tag"
done
