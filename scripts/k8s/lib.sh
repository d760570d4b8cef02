# What the scripts for Kubernetes share. Sourced by them, from the repository's root.
APPS="task-api recurring-task audit notification websocket"
NAMESPACE=taskwire
WORK=$PWD/.taskwire/k8s          # what is built and rendered here; can be removed at any time
DAPR_VERSION=1.18.3
K=${KUBECTL:-kubectl}

step() { printf '\n== %s (%ss)\n' "$1" "$SECONDS"; }
say() { printf '   %s\n' "$*"; }
fail() { printf '\n%s\n' "$*" >&2; exit 1; }

# need COMMAND WHY: says what is missing and where it comes from, before anything is done.
need() { command -v "$1" >/dev/null || fail "$1 is not installed or not on the PATH: $2"; }

# restricted_dapr CHART: Dapr's sidecars as the restricted Pod Security level wants them (k8s/dapr-values.yaml), where
# they are not so already.
restricted_dapr() {
  local have
  have=$($K -n dapr-system get deployment dapr-sidecar-injector \
    -o 'jsonpath={.spec.template.spec.containers[0].env[?(@.name=="SIDECAR_DROP_ALL_CAPABILITIES")].value}' 2>/dev/null || true)
  [ "$have" != true ] || return 0
  step "Dapr's sidecars without capabilities"
  need helm "https://helm.sh/docs/intro/install"
  helm upgrade dapr "$1" -n dapr-system --reuse-values -f k8s/dapr-values.yaml --wait --timeout 5m >/dev/null
}
