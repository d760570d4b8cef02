#!/usr/bin/env bash
# changed.sh [BASE]: exits 0 where something that `make k8s-test` covers has changed since BASE (default: origin/main, or
# the commit before this one), and 1 where nothing has.
set -euo pipefail
cd "$(dirname "$0")/../.."
base=${1:-$(git rev-parse -q --verify origin/main || git rev-parse -q --verify HEAD~1 || true)}
if [ -z "$base" ] || ! git merge-base "$base" HEAD >/dev/null 2>&1; then
  echo "no history to compare with: taken as changed"; exit 0
fi
# Everything that is in the cluster or looks at it. Tests of the packages, documents and the local stack are not.
changed=$(git diff --name-only "$(git merge-base "$base" HEAD)" -- \
  k8s scripts/k8s dapr-components e2e/k8s e2e/client services pkg cmd/taskwire/broker cmd/taskwire/internal/provision \
  cmd/taskwire/internal/secretfile go.work ':!*_test.go' ':(glob)e2e/k8s/**' ':!dapr-components/local')
[ -n "$changed" ] || { echo "nothing that make k8s-test covers has changed"; exit 1; }
echo "$changed"
