package domain

// This file reads the columns of an entry from its event, as the self-check and the verifier do. The database derives the
// same ones from the leaf (postgres/migrations/00002_append.sql); a test compares the two.

import (
	"fmt"

	"github.com/taskwire/taskwire/pkg/platform/auditlog"
)

// columns reads the columns from the event's JSON. A member that this version does not know in its form stays empty: the
// log keeps events of later versions.
func (e *Entry) columns(raw []byte) error {
	f, err := auditlog.FieldsOf(raw)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnstorable, err)
	}
	if f.EventType == "" {
		return fmt.Errorf("%w: the event has no event_type", ErrUnstorable)
	}
	e.EventID, e.UserID, e.TaskID, e.EventType = f.EventID, f.UserID, f.TaskID, f.EventType
	e.TaskVersion, e.Seq, e.Actor, e.OccurredAt = f.TaskVersion, f.Seq, f.Actor, f.OccurredAt
	return nil
}
