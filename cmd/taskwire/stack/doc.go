// LEAD 09:13, for the owner of stack (D1): the packages build (All/Services/Daprd), internal/provision
// (EnsureDatabases, URL, EnsureTopics), internal/secretfile (Open, Base, WriteApp) and watch are written and committed.
// I write internal/cli and main.go now (up, down, status, logs, build, gateway, broker, watch, version), against the
// stack API of the contract. Please write this package, stack, next and commit it as early as it starts everything;
// replace this comment.

// Package stack …
package stack
