package postgres_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/taskwire/taskwire/pkg/platform/auditlog"
	"github.com/taskwire/taskwire/services/audit/internal/domain"
)

// leafOf returns a leaf with an event of the members and those that it needs.
func leafOf(more string) []byte {
	event := fmt.Sprintf(`{"event_id":%q,"user_id":%q,"event_type":"created","timestamp":"2026-11-24T09:00:00Z"%s}`, uuid.NewString(), uuid.NewString(), more)
	return auditlog.Leaf{RecordedAt: time.Now(), Event: []byte(event)}.Bytes()
}

// changed returns a good leaf in which one text is replaced by another.
func changed(t *testing.T, from, to string) []byte {
	t.Helper()
	good := leafOf("")
	if !bytes.Contains(good, []byte(from)) {
		t.Fatalf("no %q in %q", from, good)
	}
	return bytes.Replace(good, []byte(from), []byte(to), 1)
}

// Whatever the service's role sends is refused as a whole, and the next honest append works.
func TestAWrongCallIsRefusedAndStopsNothing(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	add(t, s, changes(t, 5)...)
	const known = 5
	many := make([][]byte, 257)
	for i := range many {
		many[i] = leafOf("")
	}
	deep := strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000)
	for name, leaves := range map[string]any{
		"an empty leaf":             [][]byte{{}},
		"no header":                 [][]byte{[]byte(`{"event_id":"x"}`)},
		"another version":           [][]byte{changed(t, "entry/v1", "entry/v2")},
		"a header that goes on":     [][]byte{changed(t, "Z\n\n", "Z\nmore x\n\n")},
		"a day that rolls over":     [][]byte{bytes.Replace(leafOf(""), leafOf("")[36:46], []byte("2026-02-30"), 1)},
		"an hour that rolls over":   [][]byte{bytes.Replace(leafOf(""), leafOf("")[46:49], []byte("T24"), 1)},
		"no JSON":                   [][]byte{changed(t, `"}`, `"`)},
		"two documents":             [][]byte{append(leafOf(""), "{}"...)},
		"a list":                    [][]byte{auditlog.Leaf{RecordedAt: time.Now(), Event: []byte(`[]`)}.Bytes()},
		"invalid UTF-8":             [][]byte{changed(t, "created", "\xff")},
		"a NUL":                     [][]byte{leafOf(`,"x":"\u0000"`)},
		"half a surrogate":          [][]byte{leafOf(`,"x":"\ud800"`)},
		"no id":                     [][]byte{changed(t, `"event_id"`, `"id"`)},
		"an id in braces":           [][]byte{changed(t, `"event_id":"`, `"event_id":"{`)},
		"an id that is a number":    [][]byte{leafOf(`,"task_id":1`)},
		"no user":                   [][]byte{changed(t, `"user_id"`, `"user"`)},
		"no type":                   [][]byte{changed(t, `"created"`, `""`)},
		"a type that is a number":   [][]byte{changed(t, `"created"`, `1`)},
		"no time":                   [][]byte{changed(t, `"timestamp"`, `"time"`)},
		"a time in words":           [][]byte{changed(t, `2026-11-24T09:00:00Z`, `now`)},
		"no end of time":            [][]byte{changed(t, `2026-11-24T09:00:00Z`, `infinity`)},
		"a leap second":             [][]byte{changed(t, `09:00:00Z`, `09:00:60Z`)},
		"a time without a zone":     [][]byte{changed(t, `09:00:00Z"`, `09:00:00","schema_version":2`)},
		"a member twice":            [][]byte{leafOf(`,"event_type":"deleted"`)},
		"a member in another case":  [][]byte{leafOf(`,"Event_Type":"deleted"`)},
		"a member with a long s":    [][]byte{leafOf(`,"u` + "\u017f" + `er_id":"x"`)},
		"a member with a Kelvin k":  [][]byte{leafOf(`,"tas` + "\u212a" + `_id":"x"`)},
		"no leaf":                   [][]byte{nil},
		"a good one and a bad one":  [][]byte{leafOf(""), {}},
		"more than a batch":         many,
		"a leaf of more than 4 MiB": [][]byte{leafOf(`,"x":"` + strings.Repeat("x", 4<<20) + `"`)},
		"nested too deeply":         [][]byte{leafOf(`,"x":` + deep)},
		"nested 1,000 deep":         [][]byte{leafOf(`,"x":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000))},
		"a space and a zone":        [][]byte{changed(t, `24T09`, `24 09`)},
		"the year 10000 in UTC":     [][]byte{changed(t, `2026-11-24T09:00:00Z`, `9999-12-31T23:59:59-01:00`)},
	} {
		pool, err := db.Gorm.DB()
		if err != nil {
			t.Fatal(err)
		}
		_, err = pool.ExecContext(t.Context(), `SELECT append_entries($1::bytea[])`, leaves)
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || refused.Code[:2] != "22" && refused.Code[:2] != "54" {
			t.Errorf("%s: got %v, want a data exception (class 22 or 54)", name, err)
		}
		if n, err := s.Size(t.Context()); err != nil || n != known {
			t.Fatalf("%s: the log has %d entries (%v), want %d", name, n, err, known)
		}
	}
	add(t, s, changes(t, 3)...)
	checkTree(t, s, known+3)
}

// A call in a transaction that is undone, or whose process dies, leaves nothing. One that waits holds back nobody after
// its end.
func TestACallThatIsUndoneLeavesNothing(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	add(t, s, changes(t, 3)...)
	conn, err := pgx.Connect(t.Context(), db.AppURL)
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{`BEGIN ISOLATION LEVEL REPEATABLE READ`, `SELECT append_entries(ARRAY[` + literal(leafOf("")) + `])`} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Close(t.Context()); err != nil { // in the middle of its transaction
		t.Fatal(err)
	}
	add(t, s, changes(t, 2)...)
	checkTree(t, s, 5)
}

// A transaction that began before another append sees an old size.
func TestACallOnAnOldSnapshotIsRefused(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	add(t, s, changes(t, 3)...)
	conn, err := pgx.Connect(t.Context(), db.AppURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	for _, sql := range []string{`BEGIN ISOLATION LEVEL REPEATABLE READ`, `SELECT count(*) FROM entries`} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	add(t, s, changes(t, 2)...)
	if _, err := conn.Exec(t.Context(), `SELECT append_entries(ARRAY[`+literal(leafOf(""))+`])`); err == nil {
		t.Error("a call on an old snapshot: got nil, want an error")
	}
	if _, err := conn.Exec(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	add(t, s, changes(t, 2)...)
	checkTree(t, s, 7)
}

func literal(b []byte) string { return fmt.Sprintf(`'\x%x'::bytea`, b) }

// The service reads from a leaf the columns that the database derived from it.
func TestTheColumnsAreThoseThatTheServiceReads(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	var entries []*domain.Entry
	for _, more := range []string{
		``, `,"task_id":null,"actor":null,"seq":null`, `,"task_id":""`, `,"task_id":"6F1C0A52-7D0B-4E0F-8F5B-0A3A4E1B2C3D"`,
		`,"task_version":9223372036854775807,"seq":-9223372036854775808,"actor":"recurring-task"`,
		`,"task_version":9223372036854775808,"seq":3,"actor":"a"`, `,"task_version":1e3,"seq":3`, `,"task_version":1.0,"seq":3`,
		`,"task_version":"7","seq":3,"actor":"a"`, `,"task_version":-0,"seq":0`, `,"actor":["a"],"seq":3`, `,"actor":"","seq":3`,
		`,"x":` + strings.Repeat("[", 999) + strings.Repeat("]", 999), `,"x":"` + strings.Repeat("[", 20_000) + `"`,
		`,"actor":"\u00e9\ud83d\ude00 x"`, `,"unknown":{"event_id":1}`, `,"Unknown":1,"schema_version":3`,
	} {
		for _, at := range []string{`2026-11-24T09:00:00.123456789Z`, `2026-11-24T09:00:00.9999999+05:30`, `0001-01-01T00:00:00-12:00`, `9999-12-31T23:59:59Z`} {
			e, err := domain.NewEntry(fmt.Appendf(nil, ` {"timestamp":%q, "event_id":%q,"user_id":%q,"event_type":"x"%s} `, at, uuid.NewString(), uuid.NewString(), more), time.Now())
			if err != nil {
				t.Fatalf("%s %s: %v", more, at, err)
			}
			entries = append(entries, e)
		}
	}
	for _, at := range []string{"2026-11-24T09:00:00.5", "2026-11-24 09:00:00", "2026-11-24T09:00:00+01:00"} { // of the original form
		e, err := domain.NewEntry(fmt.Appendf(nil, `{"timestamp":%q,"event_id":%q,"user_id":%q,"event_type":"x"}`, at, uuid.NewString(), uuid.NewString()), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	add(t, s, entries...)
	for i, got := range checkTree(t, s, len(entries)) {
		want := *entries[i]
		if !got.OccurredAt.Equal(want.OccurredAt) || !got.RecordedAt.Equal(want.RecordedAt) {
			t.Errorf("%s: times %v, %v; want %v, %v", want.Event, got.OccurredAt, got.RecordedAt, want.OccurredAt, want.RecordedAt)
		}
		got.OccurredAt, got.RecordedAt = want.OccurredAt, want.RecordedAt
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("columns:\ngot  %+v\nwant %+v", got, want)
		}
	}
}
