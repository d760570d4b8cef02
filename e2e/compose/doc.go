// Package compose tests docker-compose.yml. The files' tests read it with Compose's own loader and hold it against what
// it refers to: files, images, the services' settings, the sidecars' flags, the ports that Prometheus asks.
//
// TestTheFileStartsAndTheTourRuns starts it, where there is no Docker either: each container's own command with its own
// environment, user, volumes, start order and health check, as a process in the root file system of its image, read-only
// and without capabilities, in the network namespace of its pod. It needs root. What it cannot have from a registry it
// replaces, by the part of the same protocol: Postgres by that of this machine, Redpanda by the local broker without any
// topics, Caddy's image by Caddy of the same version from its Go module.
package compose
