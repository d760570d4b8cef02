// Package role names the roles of users. It is separate from package auth so that the operator's tool does not link the
// verification of tokens.
package role

// The roles of users.
const (
	User    = "user"    // sees its own data
	Auditor = "auditor" // also reads the audit entries of all users
)

// All returns every role, the one of a new account first.
func All() []string { return []string{User, Auditor} }
