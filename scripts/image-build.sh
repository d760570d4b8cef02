#!/usr/bin/env bash
# image-build.sh NAME DIR: builds the program NAME (a service, taskwire or daprd) for an image, and puts the files of the
# image's root file system into DIR. The Dockerfile, `make images` and the tests of the images all use this script.
#   DIR/root   for root: /NAME, a link /service to it, with daprd also /sentry, the CA certificates, /etc/passwd, /tmp
#   DIR/owned  for the user of the image (65532): /config/APP, /config/APP-daprd, /config/kafka-metrics, /migrate/APP,
#              /secrets, /state and /trust, on which compose mounts volumes. A new volume takes the owner of the folder on which it is mounted
# Settings: VERSION, COMMIT (stamped into the binary), GOOS, GOARCH, CA_BUNDLE.
set -euo pipefail
[ $# = 2 ] || { echo "image-build.sh NAME DIR" >&2; exit 2; }
name=$1; mkdir -p "$2"; dir=$(cd "$2" && pwd)
cd "$(dirname "$0")/.."
case $name in
  task-api|recurring-task|audit|audit-signer|notification|websocket) package=./services/$name ;;
  taskwire) package=./cmd/taskwire ;;
  daprd) package=. ;;
  *) echo "image-build.sh: there is no program $name" >&2; exit 2 ;;
esac
rm -rf "$dir/root" "$dir/owned"
mkdir -p "$dir/root/etc/ssl/certs" "$dir/owned/config" "$dir/owned/trust"; mkdir -m 0700 "$dir/owned/secrets" "$dir/owned/state"
unset GOWORK # it may be off in the caller
export CGO_ENABLED=0 GOOS=${GOOS:-linux} GOFLAGS="${GOFLAGS:-} -buildvcs=false"
if [ "$name" = daprd ]; then
  version=$(sed -n 's/.*daprVersion = "\(.*\)"/\1/p' local/build/daprd.go)
  stamp="-X github.com/dapr/dapr/pkg/buildinfo.version=$version -X github.com/dapr/kit/logger.DaprVersion=$version"
  cd tools/daprd; export GOWORK=off
else
  stamp="-X github.com/taskwire/taskwire/pkg/platform/buildinfo.version=${VERSION:-dev}"
  stamp+=" -X github.com/taskwire/taskwire/pkg/platform/buildinfo.commit=${COMMIT:-unknown}"
fi
go build -trimpath -ldflags "-s -w $stamp" -o "$dir/root/$name" "$package"
[ "$name" != daprd ] || go build -trimpath -ldflags "-s -w $stamp" -o "$dir/root/sentry" ./sentry
cd "$dir"
ln -s "$name" root/service
for bundle in "${CA_BUNDLE:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
  [ -n "$bundle" ] && [ -s "$bundle" ] || continue
  cp "$bundle" root/etc/ssl/certs/ca-certificates.crt; break
done
[ -s root/etc/ssl/certs/ca-certificates.crt ] || { echo "image-build.sh: no CA certificates on this machine: set CA_BUNDLE" >&2; exit 1; }
printf 'root:x:0:0:root:/:/none\nnonroot:x:65532:65532:nonroot:/:/none\n' >root/etc/passwd
printf 'root:x:0:\nnonroot:x:65532:\n' >root/etc/group
for app in task-api recurring-task audit audit-signer notification websocket; do mkdir -m 0700 "owned/config/$app" "owned/config/$app-daprd"; done
mkdir -m 0700 owned/config/kafka-metrics
mkdir owned/migrate; for db in task-api audit notification; do mkdir -m 0700 "owned/migrate/$db"; done
mkdir -m 1777 root/tmp
chmod -R go=rX root/etc; chmod 0755 root owned owned/config owned/trust "root/$name"; chmod 1777 root/tmp
