#!/usr/bin/env bash
# deploy.sh OVERLAY: applies k8s/overlays/OVERLAY to the cluster of kubectl. First come the namespace, secrets, Postgres, the
# broker, databases and topics, then the services. It waits for each and prints its name. It can run again at any time and
# keeps existing secrets.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/k8s/lib.sh
overlay=$1
[ -d "k8s/overlays/$overlay" ] || fail "there is no k8s/overlays/$overlay"
render=$WORK/render-$overlay
mkdir -p "$render"

# The overlay, with the address under which the pods of this cluster reach the API server.
api=$($K get endpointslices -n default kubernetes -o 'jsonpath={.endpoints[*].addresses[*]}')
port=$($K get endpointslices -n default kubernetes -o 'jsonpath={.ports[0].port}')
[ -n "$api" ] && [ -n "$port" ] || fail "the cluster does not say where its API server is (endpointslice default/kubernetes)"
{
  cat <<Y
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../../../k8s/overlays/$overlay]
patches:
  - patch: |-
      apiVersion: networking.k8s.io/v1
      kind: NetworkPolicy
      metadata: {name: kube-api, namespace: $NAMESPACE}
      spec:
        egress:
          - ports: [{protocol: TCP, port: $port}]
            to:
Y
  for a in $api; do case $a in *:*) echo "              - ipBlock: {cidr: \"$a/128\"}" ;; *) echo "              - ipBlock: {cidr: $a/32}" ;; esac; done
} >"$render/kustomization.yaml"
$K kustomize "$render" >"$render.yaml"

# wait_rollout KIND/NAME: waits for a rollout. If it takes too long, it prints pods and events and fails.
wait_rollout() {
  $K -n $NAMESPACE rollout status "$1" --timeout="${ROLLOUT_TIMEOUT:-300s}" >/dev/null && { say "$1 is ready (${SECONDS}s)"; return; }
  $K -n $NAMESPACE get pods -o wide >&2
  $K -n $NAMESPACE get events --sort-by=.lastTimestamp | tail -n 15 >&2
  fail "$1 is not ready. Look at it with: kubectl -n $NAMESPACE describe $1"
}

step "namespace and secrets"
$K apply -f k8s/base/namespace.yaml >/dev/null
$K apply -k k8s/cluster >/dev/null
postgres="postgres://postgres@postgres:5432/postgres?sslmode=disable"
# A Secret of an earlier version holds the owner's address among those of the app. It moves to a Secret of its own.
for app in task-api audit notification; do
  url=$($K -n $NAMESPACE get secret $app --ignore-not-found -o go-template='{{with index .data "migrate-url"}}{{base64decode .}}{{end}}')
  [ -n "$url" ] || continue
  printf %s "$url" | $K -n $NAMESPACE create secret generic $app-migrate --from-file=migrate-url=/dev/stdin --dry-run=client -o yaml |
    $K apply -f - >/dev/null
  say "secret/$app-migrate has the address from secret/$app, which keeps it for the version before: docs/deploy/kubernetes.md"
done
# So did the key of the audit log. It is the log's identity, so it moves and does not change.
key=$($K -n $NAMESPACE get secret audit --ignore-not-found -o go-template='{{with index .data "checkpoint-signing-key"}}{{base64decode .}}{{end}}')
if [ -n "$key" ] && [ -z "$($K -n $NAMESPACE get secret audit-signer --ignore-not-found -o name)" ]; then
  printf %s "$key" | $K -n $NAMESPACE create secret generic audit-signer --from-file=checkpoint-signing-key=/dev/stdin >/dev/null
  say "secret/audit-signer has the log's key from secret/audit, which keeps it for the version before: docs/deploy/kubernetes.md"
fi
made=$("${TASKWIRE:-.taskwire/bin/taskwire}" secrets --namespace $NAMESPACE --postgres "$postgres" | $K create -f - 2>"$WORK/secrets.err" | wc -l) ||
  ! grep -v AlreadyExists "$WORK/secrets.err" | grep . >&2 || fail "the secrets could not be created"
say "created $made new secrets"

step "Postgres, the broker, databases and topics"
# A Job cannot be changed, so it is deleted and created again. Both do nothing where everything exists.
$K -n $NAMESPACE delete job databases topics --ignore-not-found >/dev/null
$K apply -f "$render.yaml" -l 'app.kubernetes.io/component!=service' >/dev/null
for s in postgres kafka; do wait_rollout statefulset/$s; done
for j in databases topics; do
  $K -n $NAMESPACE wait --for=condition=Complete job/$j --timeout=300s >/dev/null ||
    { $K -n $NAMESPACE logs job/$j --tail=20 >&2; fail "the Job $j did not complete"; }
  say "job/$j: $($K -n $NAMESPACE logs job/$j --tail=1)"
done
! grep -q 'name: kafka-metrics' "$render.yaml" || wait_rollout deployment/kafka-metrics

step "services"
$K apply -f "$render.yaml" -l app.kubernetes.io/component=service >/dev/null
# The signer signs nothing until it is told where its log begins (docs/audit.md). It is told once for each key. An annotation
# of the key's Secret records that, so a signer that loses its state later is not told to begin with the empty log.
began=$($K -n $NAMESPACE get secret audit-signer -o 'jsonpath={.metadata.annotations.audit-signer-began}')
if [ -z "$began" ]; then
  case ${ROLLOUT_TIMEOUT:-300s} in *m) limit=$((60 * ${ROLLOUT_TIMEOUT%m})) ;; *) limit=${ROLLOUT_TIMEOUT:-300s} limit=${limit%s} ;; esac
  deadline=$((SECONDS + limit))
  until said=$($K -n $NAMESPACE exec audit-signer-0 -c service -- /service begin 2>&1); do
    case $said in *"knows its last checkpoint already"*) break ;; esac
    [ "$SECONDS" -lt "$deadline" ] || fail "the signer of the audit log could not be told to begin: $said
Look at it with: kubectl -n $NAMESPACE describe pod audit-signer-0"
    sleep 2
  done
  $K -n $NAMESPACE annotate secret audit-signer audit-signer-began=true --overwrite >/dev/null
  say "the signer of the audit log was told to begin"
fi
for app in $APPS; do
  case $app in audit-signer) wait_rollout statefulset/$app ;; *) wait_rollout deployment/$app ;; esac
done
