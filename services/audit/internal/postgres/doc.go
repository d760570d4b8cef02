// Package postgres keeps the audit log in Postgres: the table entries, and the tree's stored hashes in the table hashes.
//
// Promises: an append is one transaction that only inserts, and appends of all replicas are serial (an advisory
// transaction lock), so positions have no gaps and follow commit order; an entry is never there without its hashes. The
// service's role has no other right than SELECT and INSERT.
package postgres
