// Package postgres stores the audit log in Postgres: the table entries, and the tree's stored hashes in the table hashes.
//
// Promises:
//   - An append is one call of the database's function append_entries. It derives positions, columns and hashes from the
//     leaves, all or nothing. Appends of all replicas are serial, so positions have no gaps and follow commit order.
//   - The service's database role can read, call that function, and add signed checkpoints. It can change nothing, and this
//     process has no other role.
package postgres
