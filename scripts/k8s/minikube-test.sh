#!/usr/bin/env bash
# Tests what minikube.sh says where something is missing. The programs on its PATH are stand-ins that play a machine in
# that state; what it does where all is well is for a machine that has a Minikube.
set -uo pipefail
cd "$(dirname "$0")/../.."
failed=0
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/usr"
for tool in bash sh env dirname grep cat tail rm mv tr mkdir chmod printf sed sleep git; do ln -s "$(command -v $tool)" "$dir/usr/$tool"; done

# play NAME BODY: puts a stand-in for a program on the PATH of the next case.
play() { mkdir -p "$dir/bin"; printf '#!/bin/sh\n%s\n' "$2" >"$dir/bin/$1"; chmod +x "$dir/bin/$1"; }
# says WHAT WORDS: runs minikube.sh up, which must fail and say these words.
says() {
  local out code=0
  out=$(PATH="$dir/bin:$dir/usr" scripts/k8s/minikube.sh "${3:-up}" 2>&1) || code=$?
  if [ "$code" = "${4:-1}" ] && grep -qF -- "$2" <<<"$out"; then echo "  ok    $1"
  else echo "  FAIL  $1: exit $code, and not \"$2\":"; sed 's/^/        /' <<<"$out"; failed=1; fi
}
running='case "$*" in *status*) echo Running ;; *"addons list"*) echo "{\"ingress\":{\"Profile\":\"minikube\",\"Status\":\"enabled\"},\"metrics-server\":{\"Profile\":\"minikube\",\"Status\":\"enabled\"}}" ;; *"image build"*) echo "no space left on device" >&2; exit 1 ;; esac'
cluster() { # RESPONSES…: a kubectl that knows calico, and what the case adds
  play kubectl 'case "$*" in *calico*) echo pod/calico ;; '"$1"' esac'
}

mkdir -p "$dir/bin"
says "no Minikube" "minikube is not installed or not on the PATH: https://"
play minikube 'exit 1'
says "no kubectl" "kubectl is not installed or not on the PATH: https://"
cluster '' ; play curl ''
says "a Minikube that does not start" "It needs a driver"
play minikube "$running"; cluster '*"get nodes"*) exit 1 ;;'
says "a cluster that does not answer" "kubectl does not reach the cluster"
cluster '*rollout*ingress-nginx-controller*) exit 1 ;;'
says "an Ingress controller that is not ready" "the Ingress controller is not ready"
play kubectl 'case "$*" in *rollout*ingress*) exit 1 ;; esac'
says "a network without policies" "no network plugin here enforces NetworkPolicy"
cluster ''
says "neither Dapr nor who installs it" "neither helm"
play helm 'case "$*" in *update*) exit 1 ;; esac'
says "no way to Dapr's chart" "chart cannot be reached"
play helm ''
says "a Dapr whose sidecars keep capabilities" "Dapr's sidecars keep capabilities"
cluster '*jsonpath*) echo ghcr.io/dapr/operator:1.14.0 ;; *injector*yaml*) echo "- name: SIDECAR_DROP_ALL_CAPABILITIES"; echo "  value: \"true\"" ;;'
says "another Dapr" "note: it is not 1.18.3"
says "an image that is not built" "$([ -f Dockerfile ] && echo "no space left on device" || echo "there is no Dockerfile")"
play minikube 'exit 1'
says "nothing to take away" "is not running" down 0
says "another word" "minikube.sh up|down" sideways 2
exit $failed
