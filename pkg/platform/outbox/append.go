package outbox

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/taskwire/taskwire/pkg/platform/tracecontext"
)

// Append writes events in a transaction of a program that is not the service, such as an operator's command. The promises of the
// package hold under the same condition: the transaction holds the lock of what the events' key stands for. It wakes no relay: the
// service's relay finds the events when it looks for the commits of other processes.
func Append(ctx context.Context, tx pgx.Tx, msgs ...Message) error {
	c := newColumns(len(msgs))
	for i, m := range msgs {
		if err := m.check(); err != nil {
			return err
		}
		if m.TraceParent == "" {
			m.TraceParent = tracecontext.Parent(ctx)
		}
		c.set(i, m)
	}
	if _, err := tx.Exec(ctx, insertRows, c.args()...); err != nil {
		return fmt.Errorf("append %d events: %w", len(msgs), err)
	}
	return nil
}
