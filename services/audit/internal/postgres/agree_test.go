package postgres_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/taskwire/taskwire/pkg/platform/auditlog"
)

// drawnLeaves is enough to meet each pair of values of two members several times.
const drawnLeaves = 6000

// Whatever leaf the database takes, the self-check and the verifier read the same columns from it. A leaf for which they did
// not would make the log look changed for ever.
func TestEveryStorableLeafPassesTheCheck(t *testing.T) {
	t.Parallel()
	_, db := open(t)
	owner, err := pgx.Connect(t.Context(), db.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = owner.Close(t.Context()) }()
	if _, err := owner.Exec(t.Context(), `SET timezone = 'UTC'`); err != nil { // as append_entries does
		t.Fatal(err)
	}
	stored := 0
	r := rand.New(rand.NewPCG(11, 24))
	for range drawnLeaves {
		leaf := drawLeaf(r)
		e := auditlog.Entry{Leaf: leaf}
		err := owner.QueryRow(t.Context(), `SELECT event_id::text, user_id::text, coalesce(task_id::text, ''), event_type, task_version, seq, occurred_at, recorded_at, actor
			FROM entries_of(ARRAY[$1::bytea])`, leaf).Scan(&e.EventID, &e.UserID, &e.TaskID, &e.EventType, &e.TaskVersion, &e.Seq, &e.OccurredAt, &e.RecordedAt, &e.Actor)
		var refused *pgconn.PgError
		if errors.As(err, &refused) && (refused.Code[:2] == "22" || refused.Code[:2] == "54") {
			continue
		}
		if err != nil {
			t.Fatalf("entries_of(%q): %v, want its columns, or a data exception", leaf, err)
		}
		stored++
		hash := tlog.RecordHash(leaf)
		e.LeafHash, e.TreeHash = hash[:], &hash
		if err := e.Check(nil); err != nil {
			t.Errorf("the database takes the leaf %q with the columns %+v, and a check says: %v", leaf, e.Fields, err)
		}
		if _, err := e.OccurredAt.UTC().MarshalJSON(); err != nil {
			t.Errorf("%q: occurred_at has no form in JSON: %v", leaf, err)
		}
	}
	t.Logf("%d of %d leaves are storable", stored, drawnLeaves)
	if stored < drawnLeaves/10 || stored > drawnLeaves*9/10 {
		t.Errorf("%d of %d leaves are storable: too few of one kind are drawn", stored, drawnLeaves)
	}
}

// drawnValues are what a member is drawn from. The first is a good one, and is drawn half of the time.
var drawnValues = map[string][]string{
	"event_type":     {`"x"`, `"created"`, `""`, `null`, `1`, `"\u00e9\ud83d"`, `"a\u0000"`, `"é \u2028"`},
	"timestamp":      {`"2026-11-24T09:00:00.123456789Z"`, `"2026-11-24T09:00:00"`, `"2026-11-24 09:00:00.5"`, `"2026-11-24 09:00:00Z"`, `"2026-11-24T09:00:00,5Z"`, `"2026-11-24T09:00:00.Z"`, `"2026-11-24T9:00:00Z"`, `"2026-11-24t09:00:00z"`, `"2026-02-29T00:00:00Z"`, `"2024-02-29T23:59:59.9999999-07:30"`, `"0000-01-01T00:00:00Z"`, `"0001-01-01T00:00:00+12:00"`, `"9999-12-31T23:59:59-12:00"`, `"9999-12-31T23:59:59.9999999Z"`, `"2026-11-24T09:00:00+24:00"`, `"2026-11-24T09:00:00+15:59"`, `"2026-11-24T09:00:00+16:00"`, `"2026-11-24T24:00:00Z"`, `"2026-11-24T09:00:60Z"`, `"now"`, `20261124`, `null`, `"2026-11-24T09:00:00\u005a"`},
	"schema_version": {``, `1`, `0`, `-1`, `2`, `3`, `"1"`, `null`, `1.0`, `9223372036854775808`},
	"task_id":        {`ID`, ``, `null`, `""`, `IDUP`, `"{}"`, `1`, `"x"`},
	"user_id":        {`ID`, `ID`, `IDUP`, `""`, `null`, `"urn:uuid:00000000-0000-0000-0000-000000000000"`},
	"event_id":       {`ID`, `ID`, `IDUP`, `""`, `"00000000000000000000000000000000"`},
	"task_version":   {`1`, ``, `null`, `-0`, `1e3`, `1.0`, `"7"`, `9223372036854775807`, `-9223372036854775808`, `9223372036854775808`, `[1]`, `00`, `123456789012345678901`},
	"seq":            {`1`, ``, `null`, `-1`, `true`, `{}`, `0.0`},
	"actor":          {``, `"a"`, `""`, `null`, `1`, `["a"]`, `"\ud83d\ude00 \u0001"`, `"\ud800"`},
	"other":          {``, `1e400`, `{"event_id":1,"event_id":2}`, `"` + "\xff" + `"`, strings.Repeat("[", 1200) + strings.Repeat("]", 1200), strings.Repeat(`{"a":`, 998) + `1` + strings.Repeat("}", 998)},
}

// drawnNames are other spellings of a member's name.
var drawnNames = []func(string) string{
	strings.ToUpper,
	func(s string) string { return strings.Replace(s, "s", "\u017f", 1) },
	func(s string) string { return strings.Replace(s, "k", "\u212a", 1) },
	func(s string) string { return fmt.Sprintf(`\u%04x%s`, s[0], s[1:]) }, // the same name
	func(s string) string { return s + " " },
}

// drawLeaf returns a leaf that is good but for some of its members.
func drawLeaf(r *rand.Rand) []byte {
	names := make([]string, 0, len(drawnValues))
	for name := range drawnValues {
		names = append(names, name)
	}
	slices.Sort(names)
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	odd := r.IntN(4) // how many members are not the usual ones, at most
	var members []string
	for i, name := range names {
		values := drawnValues[name]
		value := values[0]
		if i < odd {
			value = values[r.IntN(len(values))]
		}
		id := uuid.NewString()
		value = strings.NewReplacer("IDUP", `"`+strings.ToUpper(id)+`"`, "ID", `"`+id+`"`).Replace(value)
		if value == "" {
			continue
		}
		if r.IntN(60) == 0 {
			name = drawnNames[r.IntN(len(drawnNames))](name)
		}
		member := fmt.Sprintf(`"%s"%s:%s`, name, strings.Repeat(" ", r.IntN(2)), value)
		members = append(members, member)
		if r.IntN(100) == 0 {
			members = append(members, member)
		}
	}
	event := []byte("{" + strings.Join(members, ", ") + "}")
	leaf := auditlog.Leaf{RecordedAt: time.Unix(r.Int64N(4e9), 0), Event: event}.Bytes()
	switch r.IntN(30) {
	case 0: // one byte is another one
		leaf[r.IntN(len(leaf))] = byte(r.IntN(256))
	case 1:
		at := r.IntN(len(leaf))
		leaf = slices.Insert(leaf, at, " \n\t0,\"-"[r.IntN(7)])
	case 2:
		leaf = bytes.TrimSuffix(leaf, []byte("}"))
	}
	return leaf
}
