# Sourced by the scripts for Kubernetes, from the root of the repository.
APPS="task-api recurring-task audit audit-signer notification websocket"
NAMESPACE=taskwire
WORK=$PWD/.taskwire/k8s          # built and rendered files; it can be removed at any time
DAPR_VERSION=1.18.3
K=${KUBECTL:-kubectl}

step() { printf '\n== %s (%ss)\n' "$1" "$SECONDS"; }
say() { printf '   %s\n' "$*"; }
fail() { printf '\n%s\n' "$*" >&2; exit 1; }

# need COMMAND WHERE: fails with the place to get a command from, if it is missing.
need() { command -v "$1" >/dev/null || fail "$1 is not installed or not on the PATH: $2"; }

# restricted_dapr CHART: sets Dapr's sidecars to what the restricted Pod Security level demands (k8s/dapr-values.yaml),
# unless they are set to it already.
restricted_dapr() {
  local have
  have=$($K -n dapr-system get deployment dapr-sidecar-injector \
    -o 'jsonpath={.spec.template.spec.containers[0].env[?(@.name=="SIDECAR_DROP_ALL_CAPABILITIES")].value}' 2>/dev/null || true)
  [ "$have" != true ] || return 0
  step "Dapr's sidecars without capabilities"
  need helm "https://helm.sh/docs/intro/install"
  helm upgrade dapr "$1" -n dapr-system --reuse-values -f k8s/dapr-values.yaml --wait --timeout 5m >/dev/null
}
