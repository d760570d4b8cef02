// Package domain decides what the audit log's key signs.
//
// # Promises
//
//   - A checkpoint is signed only if its log begins with the log of the last one that was signed. The caller proves that
//     with a consistency proof, which is checked against the checkpoint that the signer itself keeps. So a person who can write
//     to the audit log's database, and even its service, cannot have a rewritten log signed.
//   - A checkpoint is on disk before it is answered. If the process ends in between, the same request gets the same answer:
//     Ed25519 signatures are deterministic.
//   - A signer without its last checkpoint signs nothing until an operator says where to begin. Starting from the empty log
//     again by itself would give a rewritten log a valid signature.
//
// The exchange is that of a witness (C2SP tlog-witness): a request names the size of the last checkpoint that the caller
// knows, and a caller who is behind is answered with the last one.
package domain
