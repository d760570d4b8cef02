#!/usr/bin/env bash
# observability.sh BIN: checks deploy/observability. promtool reads the configurations of Prometheus and the rules, and runs
# the tests of the rules. Prometheus itself runs the rules on the embedded broker. The OpenTelemetry collector validates its
# configuration. The programs are built once into BIN, from the pinned modules tools/prometheus and tools/otelcol.
set -euo pipefail
bin=$1
cd "$(dirname "$0")/.."

# once NAME MODULE GO-BUILD-ARGUMENTS…: builds BIN/NAME unless it was built from the same files with the same Go.
once() {
  local name=$1 module=$2 stamp; shift 2
  stamp=$( (find "$module" -type f -exec cat {} +; go env GOVERSION) | sha256sum | cut -c1-16)
  [ "$(cat "$bin/.$name" 2>/dev/null)" != "$stamp" ] || return 0
  mkdir -p "$bin"
  echo "building $name (some minutes, once) …" >&2
  (cd "$module" && GOWORK=off CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$bin/$name" "$@")
  echo "$stamp" >"$bin/.$name"
}
# Only the service discovery of Kubernetes is configured here, and all others together are most of the program.
discovery=netgo,remove_all_sd,enable_kubernetes_sd
once promtool tools/prometheus -tags $discovery github.com/prometheus/prometheus/cmd/promtool
once prometheus tools/prometheus -tags $discovery github.com/prometheus/prometheus/cmd/prometheus
once otelcol tools/otelcol .
cd deploy/observability
"$bin/promtool" check config --lint=all --lint-fatal prometheus.yml
"$bin/promtool" check config --lint=all --lint-fatal kubernetes.yml
"$bin/promtool" check rules --lint=all --lint-fatal alerts.yml
"$bin/promtool" test rules alerts_test.yml
collector() { "$bin/otelcol" validate --config /dev/stdin; }
collector <otel-collector.yaml
! sed 's/spike_limit_mib/spike_limit/' otel-collector.yaml | collector >/dev/null 2>&1 || { echo "otelcol does not notice a misspelt setting" >&2; exit 1; }
echo "otel-collector.yaml is valid"
cd ../../e2e
go test -count=1 ./observability
