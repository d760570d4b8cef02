// Package verify checks the audit log from the outside, with nothing but a public key: it is the home of the log's
// public formats, so that what writes them and what verifies them cannot drift apart.
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
// Everything else that the API says of an entry (event_id, user_id, task_id, event_type, task_version, seq, actor,
// occurred_at) is read from that JSON; the position is the leaf's index in the tree. The leaf hash is RFC 6962's:
// SHA-256(0x00 || leaf); an inner node is SHA-256(0x01 || left || right).
//
// # Checkpoint
//
// A checkpoint is a signed note (golang.org/x/mod/sumdb/note, C2SP tlog-checkpoint) of three lines: the origin, which is
// the key's name; the number of entries in decimal; the root hash in base64. The signature is Ed25519.
//
// # Promises
//
// A checkpoint that OpenCheckpoint accepts was signed by the log's key. Where Inclusion returns nil, the leaf is at that
// position of the log that the checkpoint signs. Where Consistency returns nil, the newer checkpoint's log begins with
// the older one's, entry for entry: nothing was changed, removed or put in between.
package verify
