// Package httpapi is the audit log's public API: lists, checkpoints and proofs, read-only.
//
// Promises:
//   - Every route requires an access token. A user sees only its own entries and gets proofs only of those; the role
//     auditor sees all.
//   - Unknown and repeated parameters are answered with 400 and their name.
//   - A cursor continues exactly after the last entry of its page, however much the log grows.
package httpapi
