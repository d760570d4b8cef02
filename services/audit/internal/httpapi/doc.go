// Package httpapi is the audit log's public API: lists, checkpoints and proofs, read-only.
//
// Promises: every route asks for an access token. A user sees only its own entries, and gets no proof of another's; the
// role auditor sees all. Unknown and repeated parameters are 400 with their name. A cursor goes on exactly behind the
// last entry of its page, however much the log grows.
package httpapi
