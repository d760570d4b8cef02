#!/usr/bin/env bash
# check.sh: renders every overlay and validates it against the API server of the cluster, in two ways: kubeconform in strict
# mode, with schemas made from the server's OpenAPI document, and a dry run on the server. The kinds of KEDA come from its
# Go module.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/k8s/lib.sh
KEDA_VERSION=v2.18.3
bin=$PWD/.taskwire/bin
mkdir -p "$bin" "$WORK/rendered"

if ! $K get crd scaledobjects.keda.sh >/dev/null 2>&1; then
  keda=$(go mod download -json "github.com/kedacore/keda/v2@$KEDA_VERSION" | sed -n 's/^\t"Dir": "\(.*\)",*/\1/p') || true
  [ -d "${keda:-}" ] || fail "KEDA's Go module cannot be fetched: GOPROXY=$(go env GOPROXY)"
  for kind in scaledobjects triggerauthentications; do
    $K apply --server-side -f "$keda/config/crd/bases/keda.sh_$kind.yaml" >/dev/null
    $K wait --for=condition=Established "crd/$kind.keda.sh" --timeout=60s >/dev/null
  done
fi
(cd tools/k8s && GOWORK=off CGO_ENABLED=0 go build -trimpath -o "$bin/" github.com/yannh/kubeconform/cmd/kubeconform ./schemas)
# The server adds new kinds to its document after a moment.
for try in $(seq 60); do
  $K get --raw /openapi/v2 >"$WORK/openapi.json"
  grep -q 'sh.keda.v1alpha1.ScaledObject' "$WORK/openapi.json" && grep -q 'io.dapr.v1alpha1.Component' "$WORK/openapi.json" && break
  [ "$try" != 60 ] || fail "the cluster does not know the kinds of Dapr or KEDA"
  sleep 1
done
rm -rf "$WORK/schemas"
"$bin/schemas" "$WORK/schemas" <"$WORK/openapi.json" >/dev/null
conform() { "$bin/kubeconform" -strict -summary -schema-location "$WORK/schemas/{{.Group}}_{{.ResourceAPIVersion}}_{{.ResourceKind}}.json" "$1"; }
for overlay in cluster overlays/minikube overlays/lab overlays/cloud; do
  name=${overlay##*/} file=$WORK/rendered/${overlay##*/}.yaml
  $K kustomize "k8s/$overlay" >"$file"
  conform "$file" | sed "s/^/   $name: /"
  # Check kubeconform itself: it must notice a misspelt field in a built-in kind and in one of Dapr's.
  [ "$overlay" = cluster ] || for misspelt in 's/^  selector:/  selektor:/' 's/^  deadLetterTopic:/  deadLetterTopik:/'; do
    sed "$misspelt" "$file" >"$WORK/misspelt.yaml"
    ! conform "$WORK/misspelt.yaml" >/dev/null 2>&1 || fail "kubeconform does not notice the misspelt field: $misspelt"
  done
  $K create namespace $NAMESPACE --dry-run=client -o yaml | $K apply -f - >/dev/null 2>&1 # a dry run of its objects needs the namespace
  $K apply --dry-run=server --validate=strict -f "$file" >"$WORK/dry-run.log" 2>&1 || { cat "$WORK/dry-run.log"; fail "the server refuses $name"; }
  say "$name: the server accepts $(wc -l <"$WORK/dry-run.log") objects"
done
