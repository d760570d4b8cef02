// Package files keeps what the signer must not lose, in one folder that only its user can read.
//
//	state.json         the last signed checkpoint, replaced as a whole
//	checkpoints.jsonl  every signed checkpoint, one line each; its place is a setting
//	published.json     up to which byte of that file the checkpoints were sent on
//	begin.json         an operator's order where to begin, removed when it is carried out
//	lock               held by the one signer that runs
//
// Promises: the state is on disk before Save returns, and a crash leaves the old or the new one. A line of
// checkpoints.jsonl is on disk before the next state is saved, so none is left out: what a crash cut or kept from being
// written is completed at the next start.
package files
