// Package postgres stores the audit log in Postgres: the table entries, and the tree's stored hashes in the table hashes.
//
// Promises:
//   - An append is one transaction that only inserts. Appends of all replicas are serial (an advisory transaction lock),
//     so positions have no gaps and follow commit order.
//   - An entry is never stored without its hashes.
//   - The service's database role has only the rights SELECT and INSERT. The process also has the owner's credentials, for
//     migrations.
package postgres
