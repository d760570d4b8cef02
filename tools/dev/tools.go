// Package dev pins the tools that the Makefile runs: golangci-lint (linters), gotestsum (test summary) and
// govulncheck (known vulnerabilities). A module of its own, outside go.work, so that their dependencies never
// raise those of the services. Run one with `go tool -modfile tools/dev/go.mod NAME`, or through make.
package dev
