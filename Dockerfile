# syntax=docker/dockerfile:1
# One file for all images: `docker build --build-arg SERVICE=task-api .`, where SERVICE is a service, taskwire or daprd.
# scripts/image-build.sh builds the program and the files of the image. It also works without Docker (make images).
#
# The build runs on the architecture of the builder and cross-compiles, so an arm64 image needs no emulation.
FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm@sha256:a688600ca24f8a4d3ca77f95b0dd40704a9fc787c826660eb7ba0b641b8b175d AS build
ARG SERVICE VERSION=dev COMMIT=unknown TARGETARCH
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    GOARCH=$TARGETARCH scripts/image-build.sh "$SERVICE" /image

FROM scratch
ARG SERVICE VERSION=dev COMMIT=unknown
LABEL org.opencontainers.image.title="Taskwire $SERVICE" \
      org.opencontainers.image.source="https://github.com/taskwire/taskwire" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT"
COPY --from=build --chown=0:0 /image/root/ /
COPY --from=build --chown=65532:65532 /image/owned/ /
USER 65532:65532
ENTRYPOINT ["/service"]
