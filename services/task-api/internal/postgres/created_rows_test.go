package postgres

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
)

// arrays are the types of the lists that the statements of created_rows.go and takeSQL unnest.
var arrays = map[string]uint32{
	"uuid": pgtype.UUIDArrayOID, "text": pgtype.TextArrayOID, "smallint": pgtype.Int2ArrayOID, "integer": pgtype.Int4ArrayOID,
	"bigint": pgtype.Int8ArrayOID, "jsonb": pgtype.JSONBArrayOID, "date": pgtype.DateArrayOID, "bytea": pgtype.ByteaArrayOID,
	"timestamptz": pgtype.TimestamptzArrayOID, "double precision": pgtype.Float8ArrayOID,
}

// TestNewRowsTravelAsBytes: what the driver cannot make bytes of it sends as text, after it has tried and made an error of it.
func TestNewRowsTravelAsBytes(t *testing.T) {
	id, user := uuid.New(), uuid.New()
	fields := (&fixture{t: t}).fields(`{"title":"Buy milk","description":"Two litres","priority":"high","tags":["home"],"due_date":"2030-01-31",
		"remind_at":"2030-01-30T08:00:00Z","recurrence":{"rrule":"FREQ=DAILY"}}`)
	c := &creation{CreateRequest: CreateRequest{UserID: user.String(), Key: &IdempotencyKey{Key: "k"}, Fields: fields}, id: id, by: user}
	task, err := domain.New(id.String(), user.String(), c.Fields, domain.Defaults{Timezone: "Europe/Berlin", Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	rows := newRows(1)
	if err := rows.add(c, task, publish.Made{ID: uuid.NewString(), Data: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
	l, k := rows.changes, rows.keys
	lists := map[string][]any{
		"uuid":   {l.users, l.ids, l.tasks, k.users},
		"text":   {l.kinds, l.payloads, k.keys, k.answers},
		"bigint": {l.seqs, l.versions},
		"bytea":  {k.hashes},
	}
	for i, column := range createdColumns {
		lists[column.typ] = append(lists[column.typ], rows.tasks[i])
	}
	for i, arg := range take([]*creation{c}, false).Args[:4] {
		typ := []string{"uuid", "text", "bytea", "bigint"}[i]
		lists[typ] = append(lists[typ], arg)
	}
	for typ, all := range lists {
		for i, list := range all {
			if _, err := pgtype.NewMap().Encode(arrays[typ], pgtype.BinaryFormatCode, list, nil); err != nil {
				t.Errorf("list %d of %s: %v", i, typ, err)
			}
		}
	}
}
