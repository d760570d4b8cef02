package outbox

// Mark is a place among the events and statements that a transaction has added.
type Mark struct{ msgs, last int }

// Mark returns where the next event goes.
func (tx *Tx) Mark() Mark { return Mark{len(tx.msgs), len(tx.last)} }

// Rewind takes back what was added after m, also an event that would have failed the transaction: for a part of a
// transaction that is given up while the rest goes on.
func (tx *Tx) Rewind(m Mark) {
	tx.msgs, tx.last, tx.err = tx.msgs[:m.msgs], tx.last[:m.last], nil
	for _, msg := range tx.msgs {
		if err := msg.check(); err != nil {
			tx.err = err
			return
		}
	}
}
