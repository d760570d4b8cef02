package postgres

import (
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

// arrays has the OID of the array type for each element type that the statements of a write use.
var arrays = map[string]uint32{
	"uuid": pgtype.UUIDArrayOID, "text": pgtype.TextArrayOID, "smallint": pgtype.Int2ArrayOID, "integer": pgtype.Int4ArrayOID,
	"bigint": pgtype.Int8ArrayOID, "jsonb": pgtype.JSONBArrayOID, "date": pgtype.DateArrayOID, "bytea": pgtype.ByteaArrayOID,
	"timestamptz": pgtype.TimestamptzArrayOID, "double precision": pgtype.Float8ArrayOID, "boolean": pgtype.BoolArrayOID,
}

var parameter = regexp.MustCompile(`\$(\d+)::(double precision|[a-z]+)(\[\])?`)

// When the driver cannot encode a parameter in the binary format, it sends text after the failed attempt, which costs time.
func TestParametersAreEncodedInBinaryFormat(t *testing.T) {
	t.Parallel()
	due, remind := time.Date(2030, 1, 31, 9, 0, 0, 0, time.UTC), time.Date(2030, 1, 30, 8, 0, 0, 0, time.UTC)
	clock := 9 * time.Hour
	full := domain.Task{TaskData: events.TaskData{
		ID: uuid.NewString(), UserID: uuid.NewString(), Title: "Buy milk", Description: "Two litres", Status: events.StatusPending,
		Priority: events.PriorityHigh, Tags: []string{"home"}, DueDate: "2030-01-31", DueAt: &due, RemindAt: &remind, Timezone: "Europe/Berlin",
		Recurrence: &events.Recurrence{RRule: "FREQ=DAILY", Anchor: events.AnchorSchedule, Timezone: "Europe/Berlin", CatchUp: events.CatchUpAll, ExDates: []string{"2030-02-01"}},
		StartDate:  "2030-01-30", StartAt: &remind, SeriesEnds: true,
		SeriesID: uuid.NewString(), OccurrenceNo: 1, Version: 1, Seq: 1, CreatedAt: due, UpdatedAt: due, CompletedAt: &due, DeletedAt: &due,
	}, StartClock: &clock, DueClock: &clock, RemindClock: &clock, RuleZone: true, EngineVersion: 1, Pattern: &domain.Pattern{Title: "Buy"}}
	bare := domain.Task{TaskData: events.TaskData{ID: uuid.NewString(), UserID: full.UserID, Status: events.StatusPending, Priority: events.PriorityLow, Timezone: "UTC"}}
	key := tasks.IdempotencyKey{Key: "k"}
	user := uuid.MustParse(full.UserID)
	ask := tasks.Ask{User: user, Key: &key, Numbers: 1, Tasks: []uuid.UUID{user}, Next: []uuid.UUID{user}}

	var all []statement
	for _, n := range []int{1, 2} { // a statement has another text for one row
		all = append(all, keyStatements(slices.Repeat([]tasks.KeptKey{{User: user, Key: key, Answer: "{}", Replaces: true}}, n))...)
		for _, isNew := range []bool{true, false} {
			all = append(all, changeStatements([]tasks.Change{
				{Task: full, New: isNew, Type: events.Created, EventID: uuid.NewString(), Payload: []byte(`{}`)},
				{Task: bare, New: isNew, Type: events.Created, EventID: uuid.NewString(), Payload: []byte(`{}`)},
			}[:n])...)
		}
	}
	for _, first := range begin([]tasks.Ask{ask, {User: user}}, make([]tasks.Answer, 2), false) {
		all = append(all, statement{first.SQL, first.Args})
	}
	if len(all) != 14 {
		t.Errorf("got %d statements, want 14", len(all))
	}
	for _, s := range all {
		for _, p := range parameter.FindAllStringSubmatch(s.sql, -1) {
			n, err := strconv.Atoi(p[1])
			if err != nil {
				t.Fatal(err)
			}
			oid := arrays[p[2]]
			if p[3] == "" {
				array, _ := pgtype.NewMap().TypeForOID(oid)
				oid = array.Codec.(*pgtype.ArrayCodec).ElementType.OID
			}
			if _, err := pgtype.NewMap().Encode(oid, pgtype.BinaryFormatCode, s.args[n-1], nil); err != nil {
				t.Errorf("%s of %.60s: %v", p[0], s.sql, err)
			}
		}
	}
}
