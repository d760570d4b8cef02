#!/usr/bin/env bash
# test.sh: tests Taskwire on a real cluster, through its Ingress (e2e/k8s). With KUBECONFIG and INGRESS (the address of the
# Ingress) it uses that cluster. Otherwise it starts the lab in K8S_LAB and stops it at the end.
#   K8S_LAB=DIR      the folder of the lab: cluster-up.sh, cluster-down.sh, dapr-up.sh and make-image.sh
#   IMAGES=there     the cluster already has the images that k8s/overlays/lab names, and localhost/taskwire/probe:dev; with
#                    PREVIOUS_TAG also the images to upgrade from. By default they are built and loaded into the lab
#   RUN=regexp       only these tests
#   KEEP=1           leave everything running
#   K8S_PREVIOUS=REF the version to upgrade from (default: the commit before this one)
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/k8s/lib.sh
only=${RUN:-}; unset RUN # the lab has a setting of the same name
if [ -z "${KUBECONFIG:-}" ] || [ "${IMAGES:-}" != there ]; then
  [ -x "${K8S_LAB:-}/make-image.sh" ] ||
    fail "K8S_LAB is not the folder of a lab (\"${K8S_LAB:-}\"): set it to the folder with cluster-up.sh, or set KUBECONFIG, INGRESS and IMAGES=there"
  K8S_LAB=$(cd "$K8S_LAB" && pwd)
  export K8S_LAB
fi
mkdir -p "$WORK"

step "make minikube on machines where something is missing"
scripts/k8s/minikube-test.sh

lab=${LAB:-$HOME/.cache/k8s-lab} ours=
export PATH=$lab/bin:$PATH
if [ -z "${KUBECONFIG:-}" ]; then
  ours=1
  step "cluster"
  # --purge removes the state, so that every run begins with an empty cluster; programs and images stay.
  [ "${KEEP:-}" = 1 ] || trap '"$K8S_LAB/cluster-down.sh" --purge >/dev/null 2>&1' EXIT
  up=$("$K8S_LAB/cluster-up.sh" 2>"$WORK/cluster.log") || { tail -n 20 "$WORK/cluster.log" >&2; fail "the cluster did not start"; }
  for kv in $up; do export "${kv?}"; done
  # The lab enforces NetworkPolicy on forwarded packets only. Those to the API server, which is the node, are not forwarded.
  export NODE_IS_OPEN=1
  "$K8S_LAB/dapr-up.sh" >"$WORK/dapr.log" 2>&1 || { tail -n 20 "$WORK/dapr.log" >&2; fail "Dapr did not start"; }
fi
say "$($K version | grep Server)"
[ -n "${INGRESS:-}" ] || fail "INGRESS is not set: the address of the cluster's Ingress, like http://10.0.0.2"
chart=$(go mod download -json "github.com/dapr/dapr@v$DAPR_VERSION" | sed -n 's/^\t"Dir": "\(.*\)",*/\1/p')/charts/dapr
restricted_dapr "$chart"

export PROBE_IMAGE=localhost/taskwire/probe:dev
make -s taskwire
if [ "${IMAGES:-}" != there ]; then
  step "images"
  "$K8S_LAB/make-image.sh" list | grep -q '^localhost/postgres:15$' || "$K8S_LAB/make-image.sh" postgres >"$WORK/image.log" 2>&1 ||
    { tail -n 5 "$WORK/image.log" >&2; fail "the image of Postgres could not be made"; }
  scripts/k8s/images.sh dev
  CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$WORK/images/probe" ./e2e/k8s/probe
  IMAGE_PATH=/service "$K8S_LAB/make-image.sh" binary $PROBE_IMAGE "$WORK/images/probe" >/dev/null 2>&1
  previous=${K8S_PREVIOUS:-HEAD~1}
  if git rev-parse -q --verify "$previous^{commit}" >/dev/null; then
    say "the version to upgrade from: $(git log -1 --format='%h %s' "$previous")"
    scripts/k8s/images.sh previous "$previous"
    export PREVIOUS_TAG=previous
  else
    say "there is no commit $previous here, so the upgrade is not tested"
  fi
fi

step "manifests"
scripts/k8s/check.sh

scripts/k8s/deploy.sh lab
export TASKWIRE_URL=$INGRESS
for i in $(seq 60); do
  curl -fsS -m 2 -o /dev/null "$TASKWIRE_URL/docs" 2>/dev/null && break
  [ "$i" != 60 ] || fail "the Ingress at $TASKWIRE_URL does not answer"
  sleep 1
done
say "$TASKWIRE_URL answers"

step "tests"
(cd e2e && go test -tags k8s -count=1 -timeout 60m -v ${only:+-run "$only"} ./k8s) |
  tee "$WORK/test.log" | grep -E '^ *(---|===.*(FAIL)|ok|FAIL|PASS|panic)|^ +[a-z_]+_test.go|^memory|^POD|^[a-z-]+-[a-z0-9-]+ +[a-z]' || true
grep -q '^ok ' "$WORK/test.log" || fail "k8s-test failed after ${SECONDS}s; the whole output is in $WORK/test.log"
[ -z "$ours" ] || [ -n "$only" ] || scripts/k8s/proven.sh mark
step "k8s-test is green"
