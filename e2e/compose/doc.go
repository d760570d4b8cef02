// Package compose tests docker-compose.yml. Most tests read the file with Compose's own loader and compare it with what it
// refers to: files, images, the settings of the services, the flags of the sidecars, the ports that Prometheus scrapes.
//
// TestTheFileStartsAndTheTourRuns starts the file without Docker. Each container is a process in the root file system of
// its image, read-only and without capabilities, in the network namespace of its pod. It has the container's command,
// environment, user, volumes, start order and health check. The test needs root. Three images are only in registries and
// have stand-ins: Postgres of this machine, the local broker without topics for Redpanda, and Caddy of the same version
// built from its Go module.
package compose
