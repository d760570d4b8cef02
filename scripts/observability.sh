#!/usr/bin/env bash
# Checks deploy/observability: Prometheus' own promtool reads both configurations and the rules, and runs the rules'
# tests. promtool is built once from the pinned module of tools/prometheus into the given folder.
set -euo pipefail
bin=$1
cd "$(dirname "$0")/.."
stamp=$( (cat tools/prometheus/go.mod tools/prometheus/go.sum; go env GOVERSION) | sha256sum | cut -c1-16)
if [ "$(cat "$bin/.promtool" 2>/dev/null)" != "$stamp" ]; then
  mkdir -p "$bin"
  echo "building promtool (some minutes, once) …" >&2
  # Of the service discoveries only that of Kubernetes, which is configured here: the others are most of the program.
  (cd tools/prometheus && GOWORK=off CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' \
    -tags netgo,remove_all_sd,enable_kubernetes_sd -o "$bin/promtool" github.com/prometheus/prometheus/cmd/promtool)
  echo "$stamp" >"$bin/.promtool"
fi
cd deploy/observability
"$bin/promtool" check config --lint=all --lint-fatal prometheus.yml
"$bin/promtool" check config --lint=all --lint-fatal kubernetes.yml
"$bin/promtool" check rules --lint=all --lint-fatal alerts.yml
"$bin/promtool" test rules alerts_test.yml
