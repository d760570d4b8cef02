#!/usr/bin/env bash
# release.sh VERSION OUT: writes the files of a release to OUT: taskwire for Linux and macOS, the rendered manifests, the
# notes from CHANGELOG.md, and SHA256SUMS of all files. The same commit gives the same bytes. .github/workflows/release.yml
# runs the script and signs the files. KUBECTL names another kubectl.
set -euo pipefail
[ $# = 2 ] || { echo "release.sh VERSION OUT" >&2; exit 2; }
version=$1; mkdir -p "$2"; out=$(cd "$2" && pwd)
cd "$(dirname "$0")/.."
fail() { echo "release: $*" >&2; exit 1; }
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]] || fail "$version is not a version like 1.2.3"

awk -v want="## [$version]" 'index($0, want) == 1 {on = 1; next} /^## \[|^\[/ {on = 0} on' CHANGELOG.md >"$out/NOTES.md"
grep -q '[^[:space:]]' "$out/NOTES.md" || fail "CHANGELOG.md has nothing about $version (docs/releasing.md)"

# Each overlay with the images of this release. The Minikube overlay names images that are built locally, so they are
# replaced. The cloud overlay names those of the release itself, because it can be applied from a checkout too.
for overlay in minikube cloud; do
  [ -d "k8s/overlays/$overlay" ] || fail "there is no k8s/overlays/$overlay"
  file=$out/taskwire-kubernetes-$overlay.yaml
  ${KUBECTL:-kubectl} kustomize "k8s/overlays/$overlay" | sed -E "s#image: taskwire/([a-z-]+):dev\$#image: ghcr.io/taskwire/\1:v$version#" >"$file"
  if other=$(grep -oE 'image: ghcr\.io/taskwire/[a-z-]+:.*' "$file" | grep -v ":v$version\$"); then
    fail "k8s/overlays/$overlay has images of another version: $other"
  fi
  [ "$(grep -c "image: ghcr.io/taskwire/.*:v$version\$" "$file")" -ge 5 ] || fail "k8s/overlays/$overlay has no images of ours"
done

work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
for platform in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64; do
  os=${platform%/*} arch=${platform#*/} name=taskwire-$version-${platform/\//-}
  GOOS=$os GOARCH=$arch VERSION=$version COMMIT=${COMMIT:-$(git rev-parse HEAD)} scripts/image-build.sh taskwire "$work/$name.build"
  mkdir "$work/$name"; cp "$work/$name.build/root/taskwire" LICENSE "$work/$name/"
  tar -C "$work" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf - "$name" | gzip -n >"$out/$name.tar.gz"
done
cd "$out"
rm -f SHA256SUMS
sha256sum -- *.tar.gz *.yaml $(ls -- *.cdx.json 2>/dev/null) >"$work/SHA256SUMS" && mv "$work/SHA256SUMS" SHA256SUMS
echo "release $version: $(wc -l <SHA256SUMS) files in $out"
