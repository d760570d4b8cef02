// Package tokens has the personal API tokens of an account: long-lived credentials for scripts, each with a name, a scope and an
// end. Promises:
//   - The text of a token is returned once, when it is made, and never stored or logged.
//   - A token reads, or reads and writes, what its user may. It never reaches the account itself: the password, the sessions, the
//     tokens and the deletion need a log-in.
//   - A token that is revoked, whose user is deleted or that has expired works nowhere any more, at most 5 s later.
//   - Each token that is made or revoked is an event of the account, and so an entry of the audit log.
package tokens
