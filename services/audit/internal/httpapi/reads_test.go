package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/services/audit/internal/domain"
)

// account appends an event of an account.
func (r *rig) account(user string, kind events.AccountEventType) {
	r.t.Helper()
	raw, err := events.AccountEvent{
		EventID: uuid.Must(uuid.NewV7()).String(), SchemaVersion: events.SchemaVersion, EventType: kind, UserID: user, Timestamp: time.Now(),
		SessionID: uuid.NewString(), Actor: user, Address: "192.0.2.1",
	}.Encode()
	if err != nil {
		r.t.Fatal(err)
	}
	e, err := domain.NewEntry(raw, time.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.store.Append(r.t.Context(), []*domain.Entry{e}); err != nil {
		r.t.Fatal(err)
	}
}

func TestAUserSeesTheOwnLogInsAndAnAuditorAll(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.account(r.ann, events.AccountLoggedIn)          // 0
	r.account(r.bob, events.AccountLoggedIn)          // 1
	r.add(r.ann, uuid.NewString(), 1, events.Created) // 2
	r.account(r.ann, events.AccountLoggedOut)         // 3
	for _, c := range []struct {
		user, role, query string
		want              []int64
	}{
		{r.ann, auth.RoleUser, "event_type=logged_in", []int64{0}},
		{r.ann, auth.RoleUser, "event_type=logged_in,logged_out", []int64{0, 3}},
		{r.ann, auth.RoleUser, "", []int64{0, 2, 3}},
		{r.bob, auth.RoleAuditor, "event_type=logged_in", []int64{0, 1}},
	} {
		if got := r.all(c.user, c.role, c.query); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s as %s: got %v, want %v", c.query, c.role, got, c.want)
		}
	}
	_, _, body := r.get(r.bob, auth.RoleUser, "/api/v1/audit?event_type=logged_in")
	if !strings.Contains(string(body), `"task_id":null`) || !strings.Contains(string(body), `"address":"192.0.2.1"`) {
		t.Errorf("an entry of an account: got %s, want no task, and its address", body)
	}
}

func TestWhatAnAuditorReadsIsAnEntry(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	carol, task := uuid.NewString(), uuid.NewString()
	for i := range 3 {
		r.add(r.ann, task, int64(i+1), events.Updated)
	}
	reads := func() []domain.Entry {
		t.Helper()
		all, err := r.store.List(t.Context(), domain.Filter{EventTypes: []string{domain.EventAuditRead}}, 100)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	for _, c := range []struct {
		user, role, path string
		entry            string // what the entry of the read says; "" for no entry
	}{
		{r.ann, auth.RoleUser, "/api/v1/audit", ""},
		{carol, auth.RoleAuditor, "/api/v1/audit?user_id=" + carol, ""},
		{carol, auth.RoleAuditor, "/api/v1/audit/checkpoint", ""},
		{carol, auth.RoleAuditor, "/api/v1/audit?limit=1", `"route":"/api/v1/audit"}`},
		{carol, auth.RoleAuditor, "/api/v1/audit?limit=2", ""}, // the same question within a minute
		{carol, auth.RoleAuditor, "/api/v1/audit?user_id=" + r.ann, `"filter":"user_id=` + r.ann + `"`},
		{carol, auth.RoleAuditor, "/api/v1/audit/tasks/" + task, `"route":"/api/v1/audit/tasks/` + task + `"`},
		{carol, auth.RoleAuditor, "/api/v1/audit/proof/inclusion?position=0", `"filter":"position=0"`},
	} {
		before := len(reads())
		if status, _, body := r.get(c.user, c.role, c.path); status != http.StatusOK {
			t.Fatalf("%s: got %d %s", c.path, status, body)
		}
		got := reads()[before:]
		if (c.entry != "") != (len(got) == 1) || len(got) > 1 {
			t.Fatalf("%s as %s: got %d entries of reads, want one: %v", c.path, c.role, len(got), c.entry != "")
		}
		if len(got) == 1 && (!strings.Contains(string(got[0].Event), c.entry) || got[0].UserID != carol || got[0].Actor != carol) {
			t.Errorf("%s: got %s, want a read by %s with %s", c.path, got[0].Event, carol, c.entry)
		}
	}
	if got := r.all(r.ann, auth.RoleUser, "event_type=audit_read"); len(got) != 0 {
		t.Errorf("the reads as the user whose entries were read: got %v, want none", got)
	}
}

// An auditor who walks through the log does not lengthen it with each page.
func TestAWalkThroughTheLogEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i := range 5 {
		r.add(r.ann, uuid.NewString(), int64(i+1), events.Updated)
	}
	if got := r.all(uuid.NewString(), auth.RoleAuditor, "limit=1"); len(got) != 6 {
		t.Errorf("got the positions %v, want five entries and one of the read", got)
	}
}
