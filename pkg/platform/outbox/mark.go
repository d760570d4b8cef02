package outbox

// Mark is a place among the events that a transaction has added.
type Mark int

// Mark returns where the next event goes.
func (tx *Tx) Mark() Mark { return Mark(len(tx.msgs)) }

// Rewind takes back the events added after m, also one that would have failed the transaction: for a part of a
// transaction that is given up while the rest goes on.
func (tx *Tx) Rewind(m Mark) {
	tx.msgs, tx.err = tx.msgs[:m], nil
	for _, msg := range tx.msgs {
		if err := msg.check(); err != nil {
			tx.err = err
			return
		}
	}
}
