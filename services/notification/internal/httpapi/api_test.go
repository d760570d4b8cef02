package httpapi_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// Checks every route of the engine: 401 without a token, 404 for another user's id, and no data of one user in another's
// answers. A new route without a line here fails the test.
func TestEveryRouteKeepsUsersApart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.notify(ada, 1)
	bodies := map[string]string{
		"GET /api/v1/notifications":                "",
		"POST /api/v1/notifications/:id/read":      "",
		"POST /api/v1/notifications/:id/snooze":    `{"minutes":5}`,
		"GET /api/v1/notifications/:id/deliveries": "",
		"GET /api/v1/preferences":                  "",
		"PUT /api/v1/preferences":                  `{"channels":[]}`,
	}
	for _, route := range r.engine.Routes() {
		name := strings.Replace(route.Method, http.MethodHead, http.MethodGet, 1) + " " + route.Path
		body, known := bodies[name]
		if !known {
			t.Errorf("%s: not in this test", name)
			continue
		}
		path := strings.Replace(route.Path, ":id", id, 1)
		r.do("", route.Method, path, body, http.StatusUnauthorized, nil)
		if strings.Contains(route.Path, ":id") {
			r.do(bob, route.Method, path, body, http.StatusNotFound, nil)
			r.do(ada, route.Method, strings.Replace(route.Path, ":id", uuid.NewString(), 1), body, http.StatusNotFound, nil)
			r.do(ada, route.Method, strings.Replace(route.Path, ":id", "1", 1), body, http.StatusBadRequest, nil)
			continue
		}
		r.do(bob, route.Method, path, body, http.StatusOK, nil)
	}
	if n := get(r, list).Items; len(n) != 1 || n[0].ReadAt != nil || n[0].SnoozedUntil != nil {
		t.Errorf("after another user's attempts: %+v", n)
	}
	var prefs struct{ Channels []string }
	r.do(ada, http.MethodGet, "/api/v1/preferences", "", http.StatusOK, &prefs)
	if len(prefs.Channels) != 1 {
		t.Errorf("another user's preferences became these: %+v", prefs)
	}
	var bobs page
	r.do(bob, http.MethodGet, list, "", http.StatusOK, &bobs)
	if len(bobs.Items) != 0 {
		t.Errorf("another user's list: %+v", bobs.Items)
	}
}

func TestTheListContinuesPageByPage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for n := range 5 {
		r.notify(ada, n)
	}
	r.notify(bob, 100)
	var titles []string
	cursor := ""
	for range 5 { // more than it takes
		p := get(r, list+"?limit=2&cursor="+url.QueryEscape(cursor))
		for _, n := range p.Items {
			titles = append(titles, n.Title)
		}
		if cursor = p.NextCursor; cursor == "" {
			break
		}
	}
	if got := strings.Join(titles, ", "); got != "task 4, task 3, task 2, task 1, task 0" {
		t.Errorf("pages: %s", got)
	}
	if n := get(r, list).Items[0]; n.Kind != "reminder" || n.DueAt == nil || n.TaskID == "" || !strings.HasPrefix(n.Body, "Due ") {
		t.Errorf("notification %+v", n)
	}
}

func TestReadIsRepeatableAndFiltersTheList(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.notify(ada, 1)
	id := r.notify(ada, 2)
	var first, again notification
	r.do(ada, http.MethodPost, list+"/"+id+"/read", "", http.StatusOK, &first)
	r.do(ada, http.MethodPost, list+"/"+id+"/read", "", http.StatusOK, &again)
	if first.ReadAt == nil || again.ReadAt == nil || !first.ReadAt.Equal(*again.ReadAt) {
		t.Errorf("read at %v, again %v", first.ReadAt, again.ReadAt)
	}
	for query, want := range map[string]string{"?unread=true": "task 1", "?unread=false": "task 2"} {
		if p := get(r, list+query); len(p.Items) != 1 || p.Items[0].Title != want || p.Unread != 1 || p.Seq != 3 {
			t.Errorf("%s: %+v, want %s, and the unread count and the number of the whole inbox", query, p, want)
		}
	}
}

func TestTheListHasTheUnreadCountAndTheNewestNumber(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	want := func(unread, seq int64) {
		t.Helper()
		if p := get(r, list+"?limit=1"); p.Unread != unread || p.Seq != seq {
			t.Errorf("list: %d unread, number %d, want %d, %d", p.Unread, p.Seq, unread, seq)
		}
	}
	want(0, 0)
	first, second := r.notify(ada, 1), r.notify(ada, 2)
	want(2, 2)
	var n notification
	for range 2 { // the second time changes nothing
		if r.do(ada, http.MethodPost, list+"/"+first+"/read", "", http.StatusOK, &n); n.Seq != 3 {
			t.Errorf("read: %+v, want the number 3", n)
		}
		want(1, 3)
	}
	r.do(ada, http.MethodPost, list+"/"+second+"/snooze", `{"minutes":5}`, http.StatusOK, &n)
	want(0, 4)
}

func TestSnooze(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.notify(ada, 1)
	path := list + "/" + id + "/snooze"
	var n notification
	r.do(ada, http.MethodPost, path, `{"until":"2090-01-01T10:00:00+02:00"}`, http.StatusUnprocessableEntity, nil)
	r.do(ada, http.MethodPost, path, `{"minutes":15}`, http.StatusOK, &n)
	if left := time.Until(*n.SnoozedUntil); n.ReadAt == nil || left < 14*time.Minute || left > 15*time.Minute {
		t.Errorf("snoozed for 15 minutes: %+v", n)
	}
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	r.do(ada, http.MethodPost, path, `{"until":"`+until.Format(time.RFC3339)+`"}`, http.StatusOK, &n)
	if !n.SnoozedUntil.Equal(until) {
		t.Errorf("snoozed until %s: %+v", until, n)
	}
	if r.woken != 2 {
		t.Errorf("the engine was woken %d times, want once for each snooze", r.woken)
	}
	if err := r.db.Exec(`UPDATE reminders SET state = 'cancelled'`).Error; err != nil {
		t.Fatal(err)
	}
	r.do(ada, http.MethodPost, path, `{"minutes":15}`, http.StatusConflict, nil)
}

func TestDeliveriesAreListed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var got struct {
		Items []struct {
			Channel, State string
			Attempts       int
			At             time.Time
		}
	}
	r.do(ada, http.MethodGet, list+"/"+r.notify(ada, 1)+"/deliveries", "", http.StatusOK, &got)
	if len(got.Items) != 1 || got.Items[0].Channel != "in_app" || got.Items[0].State != "delivered" || got.Items[0].Attempts != 1 || got.Items[0].At.IsZero() {
		t.Errorf("deliveries %+v", got.Items)
	}
}

func TestPreferencesAreReplacedWhole(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const path = "/api/v1/preferences"
	type answer struct {
		Channels   []string
		QuietHours *struct{ Start, End, Timezone string } `json:"quiet_hours"`
	}
	var p answer
	if r.do(ada, http.MethodGet, path, "", http.StatusOK, &p); len(p.Channels) != 1 || p.Channels[0] != "in_app" || p.QuietHours != nil {
		t.Errorf("defaults: %+v", p)
	}
	r.do(ada, http.MethodPut, path, `{"channels":[],"quiet_hours":{"start":"22:00","end":"07:30","timezone":"Asia/Tokyo"}}`, http.StatusOK, nil)
	p = answer{}
	if r.do(ada, http.MethodGet, path, "", http.StatusOK, &p); p.Channels == nil || len(p.Channels) != 0 || p.QuietHours == nil || p.QuietHours.Start != "22:00" || p.QuietHours.End != "07:30" || p.QuietHours.Timezone != "Asia/Tokyo" {
		t.Errorf("after PUT: %+v", p)
	}
	r.do(ada, http.MethodPut, path, `{"channels":["in_app"]}`, http.StatusOK, nil)
	p = answer{}
	if r.do(ada, http.MethodGet, path, "", http.StatusOK, &p); len(p.Channels) != 1 || p.QuietHours != nil {
		t.Errorf("replaced: %+v", p)
	}
}

func TestInvalidInputIsRefusedByName(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	snooze := list + "/" + r.notify(ada, 1) + "/snooze"
	const bad, unprocessable, prefs = http.StatusBadRequest, http.StatusUnprocessableEntity, "/api/v1/preferences"
	cursor := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	for _, c := range []struct {
		method, path, body string
		status             int
		field              string
	}{
		{"GET", list + "?limit=0", "", bad, "limit"},
		{"GET", list + "?limit=201", "", bad, "limit"},
		{"GET", list + "?limit=", "", bad, "limit"},
		{"GET", list + "?limit=1&limit=2", "", bad, "limit"},
		{"GET", list + "?unread=1", "", bad, "unread"},
		{"GET", list + "?sort=created_at", "", bad, "sort"},
		{"GET", list + "?cursor=x", "", bad, "cursor"},
		{"GET", list + "?cursor=" + cursor("p:1:2"), "", bad, "cursor"},
		{"GET", list + "?cursor=" + cursor("n:1:2"), "", bad, "cursor"},
		{"GET", list + "?cursor=" + cursor("n:9999999999999999999:"+ada), "", bad, "cursor"},
		{"GET", prefs + "?x=1", "", bad, "x"},
		{"POST", snooze + "?x=1", `{"minutes":1}`, bad, "x"},
		{"POST", snooze, `{}`, unprocessable, "until"},
		{"POST", snooze, `{"minutes":1,"until":"2030-01-01T00:00:00Z"}`, unprocessable, "minutes"},
		{"POST", snooze, `{"minutes":0}`, unprocessable, "minutes"},
		{"POST", snooze, `{"minutes":-5}`, unprocessable, "minutes"},
		{"POST", snooze, `{"minutes":9223372036854775807}`, unprocessable, "minutes"},
		{"POST", snooze, `{"minutes":1.5}`, bad, "minutes"},
		{"POST", snooze, `{"minutes":"5"}`, bad, "minutes"},
		{"POST", snooze, `{"until":"tomorrow"}`, unprocessable, "until"},
		{"POST", snooze, `{"until":"2000-01-01T00:00:00Z"}`, unprocessable, "until"},
		{"POST", snooze, `{"until":"9999-01-01T00:00:00Z"}`, unprocessable, "until"},
		{"POST", snooze, `{"hours":1}`, bad, "hours"},
		{"PUT", prefs, `{}`, unprocessable, "channels"},
		{"PUT", prefs, `{"channels":null}`, unprocessable, "channels"},
		{"PUT", prefs, `{"channels":["email"]}`, unprocessable, "channels"},
		{"PUT", prefs, `{"channels":["in_app","in_app"]}`, unprocessable, "channels"},
		{"PUT", prefs, `{"channels":[],"quiet_hours":{}}`, unprocessable, "quiet_hours.start"},
		{"PUT", prefs, `{"channels":[],"quiet_hours":{"start":"22:00","end":"22:00","timezone":"UTC"}}`, unprocessable, "quiet_hours.end"},
		{"PUT", prefs, `{"channels":[],"quiet_hours":{"start":"22:00","end":"07:00","timezone":"Mars"}}`, unprocessable, "quiet_hours.timezone"},
		{"PUT", prefs, `{"channels":[],"email":true}`, bad, "email"},
	} {
		r.wantRefused(c.method, c.path, c.body, c.status, c.field)
	}
	if n := get(r, list).Items[0]; n.SnoozedUntil != nil || n.ReadAt != nil {
		t.Errorf("a refused request changed it: %+v", n)
	}
}
