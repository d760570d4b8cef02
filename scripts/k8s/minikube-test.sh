#!/usr/bin/env bash
# minikube-test.sh: tests the messages of minikube.sh on machines where something is missing. The programs on its PATH are
# stand-ins for such a machine. Only a machine with Minikube can test the case in which nothing is missing.
set -uo pipefail
cd "$(dirname "$0")/../.."
failed=0
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/usr"
for tool in bash sh env dirname grep cat tail rm mv tr mkdir chmod printf sed sleep git; do ln -s "$(command -v $tool)" "$dir/usr/$tool"; done

# play NAME BODY: puts a stand-in for a program on the PATH of the next cases.
play() { mkdir -p "$dir/bin"; printf '#!/bin/sh\n%s\n' "$2" >"$dir/bin/$1"; chmod +x "$dir/bin/$1"; }
# says WHAT WORDS [COMMAND] [CODE]: runs minikube.sh COMMAND (up), which must print WORDS and end with CODE (1).
says() {
  local out code=0
  out=$(PATH="$dir/bin:$dir/usr" scripts/k8s/minikube.sh "${3:-up}" 2>&1) || code=$?
  if [ "$code" = "${4:-1}" ] && grep -qF -- "$2" <<<"$out"; then echo "  ok    $1"
  else echo "  FAIL  $1: exit code $code, want ${4:-1} and \"$2\":"; sed 's/^/        /' <<<"$out"; failed=1; fi
}
running='case "$*" in *status*) echo Running ;; *"addons list"*) echo "{\"ingress\":{\"Profile\":\"minikube\",\"Status\":\"enabled\"},\"metrics-server\":{\"Profile\":\"minikube\",\"Status\":\"enabled\"}}" ;; *"image build"*) echo "no space left on device" >&2; exit 1 ;; esac'
cluster() { # CASES: a stand-in for kubectl on a cluster with calico, with the cases of the test
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
says "no Dapr and nothing to install it" "neither helm"
play helm 'case "$*" in *update*) exit 1 ;; esac'
says "a chart of Dapr that cannot be reached" "chart cannot be reached"
play helm ''
says "a Dapr whose sidecars keep capabilities" "Dapr's sidecars keep capabilities"
cluster '*jsonpath*) echo ghcr.io/dapr/operator:1.14.0 ;; *injector*yaml*) echo "- name: SIDECAR_DROP_ALL_CAPABILITIES"; echo "  value: \"true\"" ;;'
says "another version of Dapr" "note: it is not 1.18.3"
says "an image that is not built" "$([ -f Dockerfile ] && echo "no space left on device" || echo "there is no Dockerfile")"
play minikube 'exit 1'
says "nothing to remove" "is not running" down 0
says "an unknown command" "minikube.sh up|down" sideways 2
exit $failed
