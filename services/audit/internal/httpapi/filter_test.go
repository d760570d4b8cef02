package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/services/audit/internal/domain"
)

// change appends an event about a task with a title, by an actor, that changed fields.
func (r *rig) change(user, actor, title string, kind events.Type, changes ...events.Change) {
	r.t.Helper()
	ev := events.TaskEvent{
		EventID: uuid.NewString(), EventType: kind, UserID: user, TaskID: uuid.NewString(), TaskVersion: 1, Seq: 1, Timestamp: time.Unix(1, 0),
		Actor: actor, Changes: changes, TaskData: events.TaskData{Title: title, Tags: []string{"home"}},
	}
	raw, err := json.Marshal(ev)
	if err != nil {
		r.t.Fatal(err)
	}
	e, err := domain.NewEntry(raw, time.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.store.Append(context.Background(), []*domain.Entry{e}); err != nil {
		r.t.Fatal(err)
	}
}

// all returns the positions of all pages.
func (r *rig) all(user, role, query string) []int64 {
	r.t.Helper()
	got := []int64{}
	for cursor := ""; ; {
		var p page
		r.decode(user, role, "/api/v1/audit?"+query+cursor, &p)
		if got = append(got, p.positions()...); p.NextCursor == "" {
			return got
		}
		cursor = "&cursor=" + p.NextCursor
	}
}

func TestTheListIsFiltered(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	from := func(field, from, to string) events.Change {
		return events.Change{Field: field, From: json.RawMessage(from), To: json.RawMessage(to)}
	}
	r.change(r.ann, r.ann, "Straße fegen", events.Created)                                                                // 0
	r.change(r.ann, r.ann, "new title", events.Updated, from("title", `"Old"`, `"new title"`))                            // 1
	r.change(r.ann, "recurring-task", "Price $9", events.Created)                                                         // 2
	r.change(r.ann, r.ann, "moved", events.Updated, from("position", `1`, `2`), from("due_date", `null`, `"2030-01-01"`)) // 3
	r.change(r.ann, r.ann, "gone", events.Deleted, from("deleted_at", `null`, `"2030-01-01T00:00:00Z"`))                  // 4
	r.change(r.bob, r.bob, "Straße", events.Updated, from("tags", `["Łódź"]`, `[]`))                                      // 5
	for _, c := range []struct {
		query        string
		ann, auditor []int64
	}{
		{"event_type=created,deleted", []int64{0, 2, 4}, []int64{0, 2, 4}},
		{"event_type=created&event_type=deleted", []int64{0, 2, 4}, []int64{0, 2, 4}},
		{"event_type=updated", []int64{1, 3}, []int64{1, 3, 5}},
		{"event_type=restored", []int64{}, []int64{}},
		{"actor=recurring-task", []int64{2}, []int64{2}},
		{"actor=" + strings.ToUpper(r.bob) + ",recurring-task", []int64{2}, []int64{2, 5}},
		{"actor=" + r.ann + "&actor=recurring-task", []int64{0, 1, 2, 3, 4}, []int64{0, 1, 2, 3, 4}},
		{"field=title", []int64{1}, []int64{1}},
		{"field=title,position", []int64{1, 3}, []int64{1, 3}},
		{"field=due_date&field=tags", []int64{3}, []int64{3, 5}},
		{"field=version", []int64{}, []int64{}},
		{"q=STRASSE", []int64{0}, []int64{0, 5}},
		{"q=" + url.QueryEscape("$"), []int64{2}, []int64{2}},
		{"q=old", []int64{1}, []int64{1}},
		{"q=new+ti", []int64{1}, []int64{1}},
		{"q=lodz", []int64{}, []int64{5}},
		{"q=home&event_type=deleted&sort=-position", []int64{4}, []int64{4}},
		{"q=home&sort=-position", []int64{4, 3, 2, 1, 0}, []int64{5, 4, 3, 2, 1, 0}},
		{"user_id=" + r.ann, []int64{0, 1, 2, 3, 4}, []int64{0, 1, 2, 3, 4}},
		{"user_id=" + r.ann + "&q=price", []int64{2}, []int64{2}},
	} {
		for _, limit := range []int{1, 2, 200} {
			query := fmt.Sprintf("%s&limit=%d", c.query, limit)
			if got := r.all(r.ann, auth.RoleUser, query); !slices.Equal(got, c.ann) {
				t.Errorf("%s as ann: got %v, want %v", query, got, c.ann)
			}
			if got := r.all(uuid.NewString(), auth.RoleAuditor, query); !slices.Equal(got, c.auditor) {
				t.Errorf("%s as an auditor: got %v, want %v", query, got, c.auditor)
			}
		}
	}
	if got := r.all(uuid.NewString(), auth.RoleAuditor, "user_id="+r.bob); !slices.Equal(got, []int64{5}) {
		t.Errorf("bob's entries as an auditor: got %v, want 5", got)
	}
}

func TestTheDocumentNamesEveryFieldOfATask(t *testing.T) {
	t.Parallel()
	var names []string
	for _, v := range newRig(t).document.Served.Components.Schemas["TaskField"].Value.Enum {
		names = append(names, fmt.Sprint(v))
	}
	if want := events.TaskFields(); !slices.Equal(names, want) {
		t.Errorf("TaskField: got %v, want %v", names, want)
	}
}
