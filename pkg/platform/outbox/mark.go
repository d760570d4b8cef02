package outbox

// Mark is a position among the events and deferred statements of a transaction.
type Mark struct{ msgs, deferred int }

// Mark returns the current position.
func (tx *Tx) Mark() Mark { return Mark{len(tx.msgs), len(tx.deferred)} }

// Rewind removes the events and deferred statements that were added after m, also an event that would have failed the
// transaction. It is for a caller that gives up a part of the transaction and continues with the next part.
func (tx *Tx) Rewind(m Mark) {
	tx.msgs, tx.deferred, tx.err = tx.msgs[:m.msgs], tx.deferred[:m.deferred], nil
	for _, msg := range tx.msgs {
		if err := msg.check(); err != nil {
			tx.err = err
			return
		}
	}
}
