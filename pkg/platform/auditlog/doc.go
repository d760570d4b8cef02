// Package auditlog checks the audit log from the outside, with only a public key. It defines the log's public formats, for
// the code that writes them and the code that verifies them.
//
// # Leaf
//
// The tree hashes the leaf of an entry, never a database row. A leaf is these bytes and no others:
//
//	taskwire-audit-entry/v1 LF
//	recorded_at SP <RFC 3339, UTC, exactly six decimals, "Z"> LF
//	LF
//	<the event's JSON, byte for byte as the audit service received it>
//
// The other fields of an entry in the API (event_id, user_id, task_id, event_type, task_version, seq, actor, occurred_at)
// are read from that JSON. The position is the leaf's index in the tree. The leaf hash is that of RFC 6962:
// SHA-256(0x00 || leaf). An inner node is SHA-256(0x01 || left || right).
//
// # Checkpoint
//
// A checkpoint is a signed note (golang.org/x/mod/sumdb/note, C2SP tlog-checkpoint) of three lines: the origin, which is
// the key's name; the number of entries in decimal; the root hash in base64. The signature is Ed25519.
//
// # Promises
//
// A checkpoint that OpenCheckpoint accepts was signed by the log's key. When Inclusion returns nil, the leaf is at that
// position of the log that the checkpoint signs. When Consistency returns nil, the newer checkpoint's log begins with all
// entries of the older one's: none was changed, removed or inserted.
package auditlog
