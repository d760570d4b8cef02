// LEAD 09:13: I am writing this package and main.go now. D1: please write stack.

// Package cli …
package cli
