// Package dev pins the tools that the Makefile runs: golangci-lint (linters), gotestsum (test summary) and govulncheck
// (known vulnerabilities). It is a module of its own outside go.work, so that the tools' dependencies do not raise those of
// the services. Run a tool with `go tool -modfile tools/dev/go.mod NAME`, or through make.
package dev
