#!/usr/bin/env bash
# minikube.sh up|down: installs Taskwire on a Minikube, or removes it. Each step does only what is missing, and says what to
# do if it fails.
#   PROFILE=minikube CPUS=4 MEMORY=6g     settings of the Minikube that it starts
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/k8s/lib.sh
profile=${PROFILE:-minikube}
mk() { minikube -p "$profile" "$@"; }

tools() {
  step "tools"
  need minikube "https://minikube.sigs.k8s.io/docs/start"
  need kubectl "https://kubernetes.io/docs/tasks/tools"
  need curl "install it with the package manager of your system"
}

start() {
  step "Minikube"
  if mk status --format '{{.APIServer}}' 2>/dev/null | grep -q Running; then
    say "the profile $profile is running"
  else
    # Calico, because the default network of Minikube does not enforce NetworkPolicy.
    mk start --cpus "${CPUS:-4}" --memory "${MEMORY:-6g}" --cni calico ||
      fail "Minikube did not start. It needs a driver: https://minikube.sigs.k8s.io/docs/drivers. Its log: minikube -p $profile logs"
  fi
  K="kubectl --context $profile"
  export KUBECTL="$WORK/kubectl"
  mkdir -p "$WORK"
  printf '#!/bin/sh\nexec kubectl --context %s "$@"\n' "$profile" >"$KUBECTL"; chmod +x "$KUBECTL"
  $K get nodes >/dev/null || fail "kubectl does not reach the cluster: kubectl --context $profile get nodes"
  if ! $K get pods -A -l k8s-app=calico-node -o name | grep -q . && ! $K get pods -A -l k8s-app=cilium -o name | grep -q .; then
    say "note: no network plugin here enforces NetworkPolicy. To get one: minikube delete -p $profile, then run this again"
  fi
  for addon in ingress metrics-server; do
    mk addons list -o json | tr -d ' \n' | grep -q "\"$addon\":{\"Profile\":\"$profile\",\"Status\":\"enabled\"" || mk addons enable $addon >/dev/null
    say "addon $addon"
  done
  $K -n ingress-nginx rollout status deployment/ingress-nginx-controller --timeout=300s >/dev/null ||
    fail "the Ingress controller is not ready: kubectl --context $profile -n ingress-nginx get pods"
}

dapr_up() {
  step "Dapr $DAPR_VERSION"
  local have
  have=$($K -n dapr-system get deployment dapr-operator -o 'jsonpath={.spec.template.spec.containers[0].image}' 2>/dev/null || true)
  if [ -n "$have" ]; then
    say "already installed: ${have##*/}"
    [ "${have##*:}" = "$DAPR_VERSION" ] || say "note: it is not $DAPR_VERSION, the version that Taskwire is tested with"
  elif command -v helm >/dev/null; then
    helm repo add dapr https://dapr.github.io/helm-charts >/dev/null 2>&1 || true
    helm repo update dapr >/dev/null || fail "the repository of Dapr's chart cannot be reached: https://dapr.github.io/helm-charts"
    helm --kube-context "$profile" upgrade --install dapr dapr/dapr --version "$DAPR_VERSION" -n dapr-system --create-namespace \
      -f k8s/dapr-values.yaml --wait --timeout 10m >/dev/null || fail "Dapr did not come up: kubectl --context $profile -n dapr-system get pods"
  elif command -v dapr >/dev/null; then
    kubectl config use-context "$profile" >/dev/null # the CLI has no --context
    dapr init -k --runtime-version "$DAPR_VERSION" --set dapr_sidecar_injector.sidecarDropALLCapabilities=true --wait --timeout 600 ||
      fail "Dapr did not come up: kubectl --context $profile -n dapr-system get pods"
  else
    fail "Dapr is not in the cluster, and neither helm (https://helm.sh/docs/intro/install) nor the dapr CLI (https://docs.dapr.io/getting-started/install-dapr-cli) is installed here to install it"
  fi
  $K -n dapr-system get deployment dapr-sidecar-injector -o yaml | grep -A1 SIDECAR_DROP_ALL_CAPABILITIES | grep -q true ||
    fail "Dapr's sidecars keep capabilities, which the namespace's Pod Security level refuses. To fix it: helm upgrade dapr dapr/dapr --version $DAPR_VERSION -n dapr-system --reuse-values -f k8s/dapr-values.yaml"
}

images() {
  step "images"
  [ -f Dockerfile ] || fail "there is no Dockerfile"
  local name
  for name in $APPS taskwire; do
    mk image build -t "taskwire/$name:dev" --build-opt "build-arg=SERVICE=$name" . >"$WORK/image.log" 2>&1 ||
      { tail -n 20 "$WORK/image.log" >&2; fail "the image of $name was not built"; }
    say "taskwire/$name:dev"
  done
}

address() {
  local ip url
  ip=$(mk ip)
  url=http://$ip
  if ! curl -fsS -m 5 -o /dev/null "$url/docs" 2>/dev/null; then
    step "Taskwire runs"
    say "Minikube's address $ip cannot be reached from here, as with the docker driver on a Mac. In a second terminal:"
    say "  kubectl --context $profile -n ingress-nginx port-forward service/ingress-nginx-controller 8080:80"
    url=http://localhost:8080
  else
    step "Taskwire runs"
  fi
  say "page, API, documents:  $url   $url/docs"
  say "the tour:              scripts/tour.sh $url"
  say "to remove it:          make minikube-down"
}

case ${1:-} in
  up)
    tools; start; dapr_up; images
    make -s taskwire
    was=$($K -n $NAMESPACE get deployments -o name 2>/dev/null || true)
    ROLLOUT_TIMEOUT=600s scripts/k8s/deploy.sh minikube
    if [ -n "$was" ]; then # the new images have the names of the old ones, so the pods are not replaced by themselves
      $K -n $NAMESPACE rollout restart deployment,statefulset -l app.kubernetes.io/component=service >/dev/null
      ROLLOUT_TIMEOUT=600s scripts/k8s/deploy.sh minikube
    fi
    address ;;
  down)
    tools
    mk status --format '{{.APIServer}}' 2>/dev/null | grep -q Running || { say "the profile $profile is not running"; exit 0; }
    step "removing Taskwire and its data"
    kubectl --context "$profile" delete namespace $NAMESPACE --ignore-not-found --timeout=300s
    say "Dapr and Minikube stay. To remove them too: minikube delete -p $profile" ;;
  *) echo "minikube.sh up|down" >&2; exit 2 ;;
esac
