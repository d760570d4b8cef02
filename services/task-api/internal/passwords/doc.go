// Package passwords decides whether a text may become the password of an account.
//
// Promises:
//
//   - A refusal says why, in words that complete "the password …".
//   - The rules are for new passwords only. An account that has a weaker one keeps it.
//   - A text is compared in NFC and without case, like a user would type it again.
//
// The rules follow NIST SP 800-63B-4, section 3.1.1.2: a length, a list of passwords that are common, expected or bound to the
// user, and nothing about kinds of characters. docs/adr/0033 has the reasons for each figure.
package passwords

// The list is made from a package of npm. Its first lines name the package, its version, its licence and the day.
//
//go:generate go run ./generate common.txt
