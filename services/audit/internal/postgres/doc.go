// Package postgres stores the audit log in Postgres: the table entries, and the tree's stored hashes in the table hashes.
//
// Promises:
//   - An append is one transaction that only inserts. Appends of all replicas are serial (an advisory transaction lock),
//     so positions have no gaps and follow commit order.
//   - An entry is never stored without its hashes.
//   - The service's role has only the rights SELECT and INSERT.
package postgres
