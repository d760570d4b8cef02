#!/usr/bin/env bash
# images.sh TAG [REF]: builds the services and taskwire for images (scripts/image-build.sh) and loads them into the cluster
# of the lab (K8S_LAB) as localhost/taskwire/NAME:TAG. With REF it builds a copy of that commit's tree.
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
  # An unchanged file keeps its time, so the lab does not load its image again.
  cmp -s "$out/$name.d/root/$name" "$out/$name" || mv -f "$out/$name.d/root/$name" "$out/$name"
  rm -rf "$out/$name.d"
  IMAGE_PATH=/service "$K8S_LAB/make-image.sh" binary "localhost/taskwire/$name:$tag" "$out/$name" >/dev/null 2>"$WORK/image.log" ||
    { cat "$WORK/image.log" >&2; fail "the image of $name could not be made"; }
  say "localhost/taskwire/$name:$tag"
done
