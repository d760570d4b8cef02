#!/usr/bin/env bash
# images.sh OUT [NAME…]: builds the images. With a Docker daemon and buildx it builds the Dockerfile and loads the images
# into the daemon as taskwire/NAME:VERSION, for this machine. Otherwise (or with IMAGES_WITHOUT_DOCKER=1) tools/images
# writes OCI archives OUT/NAME.tar for amd64 and arm64, and a list of contents of each image.
# Settings: VERSION (default: the tag of this commit, else dev), ARCHES.
set -euo pipefail
out=$1; shift
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- task-api recurring-task audit audit-signer notification websocket taskwire daprd
commit=$(git rev-parse HEAD 2>/dev/null || echo unknown)
tag=$(git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null || true)
version=${VERSION:-${tag#v}}; version=${version:-dev}
if [ -z "${IMAGES_WITHOUT_DOCKER:-}" ] && docker buildx version >/dev/null 2>&1 && docker info >/dev/null 2>&1; then
  for name; do
    docker buildx build --load --build-arg SERVICE="$name" --build-arg VERSION="$version" --build-arg COMMIT="$commit" --tag "taskwire/$name:$version" .
  done
  exit
fi
echo "no Docker daemon with buildx: writing OCI archives to $out" >&2
mkdir -p "$out"; out=$(cd "$out" && pwd)
cd tools/images
GOWORK=off go run . -root ../.. -out "$out" -version "$version" -commit "$commit" -arch "${ARCHES:-amd64,arm64}" "$@"
