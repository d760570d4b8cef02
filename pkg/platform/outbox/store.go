package outbox

import (
	"context"
	"fmt"
	"math/bits"
)

// refusal is an event that the broker can never take.
type refusal struct {
	row
	err error
}

const fetchRows = `
	SELECT o.id, o.topic, o.key, o.event_id::text, o.type, o.subject, o.data, o.trace_parent
	FROM unnest($1::smallint[]) AS b (bucket)
	CROSS JOIN LATERAL (
		SELECT * FROM outbox WHERE outbox.bucket = b.bucket ORDER BY outbox.id LIMIT $2
	) AS o
	ORDER BY o.id`

// fetch reads the oldest events of the given buckets. It always begins at the oldest row there is: a row that was
// numbered early and committed late is found, which a high-water mark would skip.
func (r *Relay) fetch(ctx context.Context, which uint64) ([]row, error) {
	if which == 0 {
		return nil, nil
	}
	wanted := make([]int16, 0, bits.OnesCount64(which))
	for b := range buckets {
		if which&(1<<b) != 0 {
			wanted = append(wanted, int16(b))
		}
	}
	rs, err := r.cfg.DB.Statement.ConnPool.QueryContext(ctx, fetchRows, wanted, fetchPerBucket)
	if err != nil {
		return nil, fmt.Errorf("fetch from the outbox: %w", err)
	}
	defer func() { _ = rs.Close() }()
	var rows []row
	for rs.Next() {
		var x row
		if err := rs.Scan(&x.id, &x.Topic, &x.Key, &x.EventID, &x.Type, &x.Subject, &x.Data, &x.TraceParent); err != nil {
			return nil, fmt.Errorf("fetch from the outbox: %w", err)
		}
		rows = append(rows, x)
	}
	if err := rs.Err(); err != nil {
		return nil, fmt.Errorf("fetch from the outbox: %w", err)
	}
	return rows, nil
}

func (r *Relay) remove(ctx context.Context, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	if _, err := r.cfg.DB.Statement.ConnPool.ExecContext(ctx, `DELETE FROM outbox WHERE id = ANY($1)`, ids); err != nil {
		return fmt.Errorf("delete %d published events from the outbox: %w", len(ids), err)
	}
	return nil
}

const parkRows = `
	WITH refused AS (SELECT * FROM unnest($1::bigint[], $2::text[]) AS r (id, reason)),
	gone AS (DELETE FROM outbox USING refused WHERE outbox.id = refused.id RETURNING outbox.*, refused.reason)
	INSERT INTO outbox_parked (id, topic, key, event_id, type, subject, data, trace_parent, created_at, reason)
	SELECT id, topic, key, event_id, type, subject, data, trace_parent, created_at, reason FROM gone`

// park moves refused events out of the way in one statement, so that each is in exactly one of the two tables.
func (r *Relay) park(ctx context.Context, refused []refusal) error {
	if len(refused) == 0 {
		return nil
	}
	ids, reasons := make([]int64, len(refused)), make([]string, len(refused))
	for i, x := range refused {
		ids[i], reasons[i] = x.id, x.err.Error()
	}
	if _, err := r.cfg.DB.Statement.ConnPool.ExecContext(ctx, parkRows, ids, reasons); err != nil {
		return fmt.Errorf("park %d refused events: %w", len(refused), err)
	}
	for _, x := range refused {
		r.metrics.parked.WithLabelValues(x.Topic).Inc()
		r.cfg.Log.ErrorContext(ctx, "an event was refused by the broker and is parked in outbox_parked",
			"event_id", x.EventID, "task_id", x.Subject, "user_id", x.Key, "topic", x.Topic, "reason", x.err.Error())
	}
	return nil
}
