package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/testkit/authtest"
	"github.com/taskwire/taskwire/testkit/logtest"
	"github.com/taskwire/taskwire/testkit/pgtest"
	"github.com/taskwire/taskwire/testkit/servicetest"
	"go.uber.org/goleak"
)

const appToken = servicetest.AppToken

// running is the service on a database of its own, behind a proxy, without a sidecar.
type running struct {
	t           *testing.T
	public, app string
	db          *pgtest.DB
	proxy       *proxy
	log         *logtest.Buffer
	stop        func() error
	service     *servicetest.Service
}

// start starts the service; with away its database cannot be reached yet. Its settings can be changed before.
func start(t *testing.T, away bool, change ...func(*settings)) *running {
	t.Helper()
	s := &running{t: t, db: pgtest.New(t, "tasks", migrations()...)}
	s.proxy = newProxy(t, address(t, s.db.AppURL))
	if away {
		s.proxy.cut()
	}
	cfg := settings{DatabaseConns: 8, Base: servicetest.Base(t, appID, map[string]string{
		secretDatabase: s.through(s.db.AppURL),
		secretSigning:  authtest.SigningKey(t), secretCursorKey: hex.EncodeToString(make([]byte, cursorKeyBytes)),
	}, 0)}
	for _, c := range change {
		c(&cfg)
	}
	s.service = servicetest.Start(t, cfg, run)
	s.public, s.app, s.log, s.stop = s.service.Public, s.service.App, s.service.Log, s.service.Stop
	return s
}

func address(t *testing.T, databaseURL string) string {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

func (s *running) through(databaseURL string) string {
	return strings.Replace(databaseURL, address(s.t, databaseURL), s.proxy.listener.Addr().String(), 1)
}

// call sends a request; headers are pairs.
func (s *running) call(method, address, body string, headers ...string) (int, http.Header, string) {
	s.t.Helper()
	r := servicetest.Request{Method: method, URL: address, Body: body, Header: map[string]string{}}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header[headers[i]] = headers[i+1]
	}
	answer := s.service.Do(r)
	return answer.Status, answer.Header, answer.Body
}

// await polls until the address answers with the status.
func (s *running) await(status int, address string) (body string) {
	s.t.Helper()
	return s.service.Await(address, status).Body
}

// register makes an account and returns the header that speaks for it, and its id.
func (s *running) register(email string) (token, id string) {
	s.t.Helper()
	s.await(http.StatusUnauthorized, s.public+"/api/v1/tasks") // it is past its start
	status, _, body := s.call("POST", s.public+"/api/v1/auth/register", `{"email":"`+email+`","password":"correct horse"}`)
	var session struct {
		AccessToken string `json:"access_token"`
		User        struct{ ID string }
	}
	if err := json.Unmarshal([]byte(body), &session); err != nil || status != http.StatusCreated {
		s.t.Fatalf("register: got %d %s", status, body)
	}
	return "Bearer " + session.AccessToken, session.User.ID
}

func (s *running) count(sql string) (n int64) {
	s.t.Helper()
	if err := s.db.Gorm.Raw(sql).Scan(&n).Error; err != nil {
		s.t.Fatal(err)
	}
	return n
}

// leakPatience is how long goroutines may take to end on a busy machine.
const leakPatience = 30 * time.Second

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if err := leaks(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// leaks is the goroutines that are left. The test server is none, which ends with the process.
func leaks() (err error) {
	for deadline := time.Now().Add(leakPatience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		err = goleak.Find(goleak.IgnoreAnyFunction("os/exec.(*Cmd).Start.func2"),
			goleak.IgnoreAnyFunction("github.com/taskwire/taskwire/local/postgres.(*Plan).start.func1"))
		if err == nil {
			return nil
		}
	}
	return err
}

func TestWithoutASidecarWritesGoOnAndTheOutboxHoldsTheEvents(t *testing.T) {
	t.Parallel()
	s := start(t, false)
	token, _ := s.register("a@example.com")
	for range 3 {
		if status, _, body := s.call("POST", s.public+"/api/v1/tasks", `{"title":"t"}`, "Authorization", token); status != http.StatusCreated {
			t.Errorf("create: got %d %s, want 201", status, body)
		}
	}
	body := s.await(http.StatusServiceUnavailable, s.public+"/readyz")
	if !strings.Contains(body, `"sidecar":"unavailable"`) || !strings.Contains(body, `"database":"ok"`) {
		t.Errorf("readyz: got %s, want the sidecar named", body)
	}
	if status, _, body := s.call("GET", s.public+"/healthz", ""); status != http.StatusOK {
		t.Errorf("healthz: got %d %s", status, body)
	}
	if status, _, body := s.call("GET", s.app+"/healthz", ""); status != http.StatusOK {
		t.Errorf("healthz of the Dapr side: got %d %s, want 200: deliveries do not need the sidecar's word", status, body)
	}
	if n := s.count(`SELECT count(*) FROM outbox WHERE topic LIKE 'task-%'`); n != 6 {
		t.Errorf("outbox: got %d events, want 6", n)
	}
	if err := s.stop(); err != nil {
		t.Errorf("stop: got %v", err)
	}
	if log := s.log.String(); !strings.Contains(log, `"msg":"access tokens are signed"`) || strings.Contains(log, "PRIVATE KEY") {
		t.Errorf("log: want the id of the signing key, and not the key:\n%s", log)
	}
	if log := s.log.String(); strings.Contains(log, "panic") || strings.Contains(log, `"level":"ERROR"`) {
		t.Errorf("log: got an error or a panic:\n%s", log)
	}
}

func TestTheServiceStartsBeforeItsDatabaseAndOutlivesIt(t *testing.T) {
	t.Parallel()
	s := start(t, true)
	status, header, body := s.call("GET", s.public+"/api/v1/tasks", "")
	if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
		t.Errorf("before the database: got %d with Retry-After %q %s, want 503", status, header.Get("Retry-After"), body)
	}
	s.await(http.StatusServiceUnavailable, s.app+"/healthz")
	s.proxy.mend()
	token, _ := s.register("a@example.com")
	s.await(http.StatusOK, s.app+"/healthz")
	s.proxy.cut()
	var task events.TaskData
	for _, r := range []struct{ method, path, body string }{
		{"POST", "/api/v1/tasks", `{"title":"t"}`},
		{"GET", "/api/v1/tasks", ""},
		{"GET", "/api/v1/sync", ""},
		{"GET", "/api/v1/me", ""},
		{"POST", "/api/v1/tasks/01890a5d-ac96-774b-bcce-b302099a8057/complete", ""},
		{"POST", "/api/v1/auth/login", `{"email":"a@example.com","password":"correct horse"}`},
		{"POST", "/api/v1/auth/register", `{"email":"b@example.com","password":"correct horse"}`},
	} {
		status, header, body := s.call(r.method, s.public+r.path, r.body, "Authorization", token)
		if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
			t.Errorf("%s %s without the database: got %d with Retry-After %q %s, want 503", r.method, r.path, status, header.Get("Retry-After"), body)
		}
	}
	if body := s.await(http.StatusServiceUnavailable, s.public+"/readyz"); !strings.Contains(body, `"database":"unavailable"`) {
		t.Errorf("readyz: got %s, want the database named", body)
	}
	s.proxy.mend()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		status, _, body := s.call("POST", s.public+"/api/v1/tasks", `{"title":"t"}`, "Authorization", token)
		if status == http.StatusCreated {
			if err := json.Unmarshal([]byte(body), &task); err != nil || task.Seq != 1 {
				t.Errorf("create: got %s %v, want the first change of the user", body, err)
			}
			break
		}
		if status != http.StatusServiceUnavailable || time.Now().After(deadline) {
			t.Fatalf("create: got %d %s, want 503 and then 201", status, body)
		}
	}
}

// TestALostCommitIsNeverAnsweredAsDoneAndIsSafeToRepeat loses the answer to a COMMIT: the write is done, and nobody here
// knows.
func TestALostCommitIsNeverAnsweredAsDoneAndIsSafeToRepeat(t *testing.T) {
	t.Parallel()
	s := start(t, false)
	token, _ := s.register("a@example.com")
	s.proxy.lose("the lost title")
	create := func() (int, string) {
		status, _, body := s.call("POST", s.public+"/api/v1/tasks", `{"title":"the lost title"}`, "Authorization", token, "Idempotency-Key", "k")
		return status, body
	}
	if status, body := create(); status != http.StatusServiceUnavailable {
		t.Fatalf("create with the answer to its commit lost: got %d %s, want 503", status, body)
	}
	var task events.TaskData
	status, body := create()
	if err := json.Unmarshal([]byte(body), &task); err != nil || status != http.StatusCreated || task.Seq != 1 {
		t.Errorf("repeated: got %d %s, want the task that was made", status, body)
	}
	if tasks, sent := s.count(`SELECT count(*) FROM tasks`), s.count(`SELECT count(*) FROM outbox WHERE topic LIKE 'task-%'`); tasks != 1 || sent != 2 {
		t.Errorf("got %d tasks and %d events, want 1 and 2", tasks, sent)
	}
	s.proxy.lose(`"event_type":"completed"`)
	complete := s.public + "/api/v1/tasks/" + task.ID + "/complete"
	if status, _, body := s.call("POST", complete, "", "Authorization", token); status != http.StatusServiceUnavailable {
		t.Fatalf("complete with the answer to its commit lost: got %d %s, want 503", status, body)
	}
	if status, _, body := s.call("POST", complete, "", "Authorization", token); status != http.StatusOK || !strings.Contains(body, `"version":2`) {
		t.Errorf("repeated: got %d %s, want version 2", status, body)
	}
	if n := s.count(`SELECT count(*) FROM outbox WHERE data LIKE '%"event_type":"completed"%'`); n != 2 {
		t.Errorf("completed events: got %d, want one on each of the two topics", n)
	}
}

func TestTheDaprSideServesTheOtherServices(t *testing.T) {
	t.Parallel()
	s := start(t, false)
	token, id := s.register("a@example.com")
	app := func(method, path, body string, headers ...string) (int, string) {
		status, _, answer := s.call(method, s.app+path, body, append([]string{"dapr-api-token", appToken}, headers...)...)
		return status, answer
	}
	_, _, body := s.call("POST", s.public+"/api/v1/tasks", `{"title":"Water","due_date":"2030-03-01","recurrence":{"rrule":"FREQ=WEEKLY"}}`, "Authorization", token)
	var task events.TaskData
	if err := json.Unmarshal([]byte(body), &task); err != nil {
		t.Fatal(err)
	}
	request := func(change func(map[string]any)) string {
		r := map[string]any{"event_id": "01890a5d-ac96-774b-bcce-b302099a8057", "user_id": id, "task_id": task.ID, "of_the_future": true}
		if change != nil {
			change(r)
		}
		raw, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	// Members that describe the task come from a caller of the previous version, or from one that lies.
	lie := func(r map[string]any) {
		r["due_date"], r["series_id"], r["occurrence_no"], r["task_data"] = "2031-01-01", "x", 7, map[string]any{"title": "Lie"}
	}
	if status, body := app("POST", "/internal/next-occurrence", request(nil)); status != http.StatusConflict || !strings.Contains(body, "not completed") {
		t.Errorf("next occurrence of an open task: got %d %s, want 409", status, body)
	}
	s.call("POST", s.public+"/api/v1/tasks/"+task.ID+"/complete", "", "Authorization", token)
	for i, path := range []string{"/internal/next-occurrence", "/internal/successors", "/internal/next-occurrence"} {
		status, body := app("POST", path, request(lie))
		var next events.TaskData
		want := map[bool]int{true: http.StatusCreated, false: http.StatusOK}[i == 0]
		if err := json.Unmarshal([]byte(body), &next); err != nil || status != want || next.DueDate != "2030-03-08" || next.OccurrenceNo != 2 || next.Title != "Water" {
			t.Errorf("%s: got %d %s, want %d and the successor", path, status, body, want)
		}
	}
	for name, tc := range map[string]struct {
		want   int
		change func(map[string]any)
	}{
		"another task": {409, func(r map[string]any) { r["task_id"] = "01890a5d-ac96-774b-bcce-b302099a8057" }},
		"another user": {409, func(r map[string]any) { r["user_id"] = "01890a5d-ac96-774b-bcce-b302099a8057" }},
		"no id":        {422, func(r map[string]any) { r["task_id"] = "x" }},
	} {
		if status, body := app("POST", "/internal/next-occurrence", request(tc.change)); status != tc.want || !strings.Contains(body, `"title"`) {
			t.Errorf("next occurrence of %s: got %d %s, want %d", name, status, body, tc.want)
		}
	}
	if status, body := app("POST", "/internal/next-occurrence", `{`); status != http.StatusBadRequest {
		t.Errorf("next occurrence with a broken body: got %d %s", status, body)
	}
	s.call("DELETE", s.public+"/api/v1/tasks/"+task.ID, "", "Authorization", token)
	if status, body := app("POST", "/internal/next-occurrence", request(nil)); status != http.StatusConflict {
		t.Errorf("next occurrence of a deleted task: got %d %s, want 409", status, body)
	}

	var changes struct {
		Items   []events.TaskUpdateEvent
		Head    int64
		Oldest  *int64
		HasMore bool `json:"has_more"`
	}
	status, body := app("GET", "/internal/changes?user_id="+id+"&since=1&limit=2", "")
	if err := json.Unmarshal([]byte(body), &changes); err != nil || status != 200 || len(changes.Items) != 2 || changes.Items[0].Seq != 2 || changes.Head != 4 || !changes.HasMore || *changes.Oldest != 0 {
		t.Errorf("changes: got %d %s", status, body)
	}
	s.exec(`DELETE FROM changes WHERE seq < 3`)
	s.exec(`UPDATE heads SET changes_from = 3`)
	for path, want := range map[string]int{
		"/internal/changes?user_id=" + id + "&since=1":                   http.StatusGone,
		"/internal/changes?user_id=" + id + "&since=2":                   http.StatusOK,
		"/internal/changes?user_id=" + id + "&since=-1":                  http.StatusBadRequest,
		"/internal/changes?user_id=" + id + "&limit=501":                 http.StatusBadRequest,
		"/internal/changes?user_id=x":                                    http.StatusBadRequest,
		"/internal/changes?user_id=01890a5d-ac96-774b-bcce-b302099a8057": http.StatusNotFound,
		"/internal/jwks": http.StatusOK,
		"/internal/revocations?since=2026-01-01T00:00:00.5Z&limit=5000&more=x": http.StatusOK,
		"/internal/revocations?limit=5001":                                     http.StatusBadRequest,
		"/internal/revocations?since=yesterday":                                http.StatusBadRequest,
		"/internal/revocations?after=x":                                        http.StatusBadRequest,
	} {
		if status, body := app("GET", path, ""); status != want {
			t.Errorf("GET %s: got %d %s, want %d", path, status, body, want)
		}
	}
	if status, body := app("POST", "/internal/heads", `{"user_ids":["`+id+`","01890a5d-ac96-774b-bcce-b302099a8057"]}`); status != 200 || body != `{"heads":{"`+id+`":4}}` {
		t.Errorf("heads: got %d %s", status, body)
	}
	if status, body := app("POST", "/internal/heads", `{"user_ids":["x"]}`); status != http.StatusBadRequest {
		t.Errorf("heads of no id: got %d %s", status, body)
	}
	for _, path := range []string{"/internal/jwks", "/internal/revocations", "/internal/changes?user_id=" + id} {
		if status, _, body := s.call("GET", s.app+path, "", "dapr-api-token", "wrong", "Authorization", token); status != http.StatusUnauthorized {
			t.Errorf("GET %s without the sidecar's token: got %d %s, want 401", path, status, body)
		}
	}
}

// TestTheOtherServicesHearThatADeletedAccountIsNone: 409 as a problem document is what the recurrence engine takes for
// the last word (services/recurring-task/internal/taskapi), and a user without a head is none to the WebSocket service.
func TestTheOtherServicesHearThatADeletedAccountIsNone(t *testing.T) {
	t.Parallel()
	s := start(t, false)
	token, id := s.register("a@example.com")
	_, _, body := s.call("POST", s.public+"/api/v1/tasks", `{"title":"Water","due_date":"2030-03-01","recurrence":{"rrule":"FREQ=WEEKLY"}}`, "Authorization", token)
	var task events.TaskData
	if err := json.Unmarshal([]byte(body), &task); err != nil {
		t.Fatal(err)
	}
	s.call("POST", s.public+"/api/v1/tasks/"+task.ID+"/complete", "", "Authorization", token)
	if status, _, body := s.call("DELETE", s.public+"/api/v1/me", `{"password":"correct horse"}`, "Authorization", token); status != http.StatusNoContent {
		t.Fatalf("delete the account: got %d %s", status, body)
	}
	check := func(when string) {
		t.Helper()
		for _, r := range []struct {
			method, path, body string
			status             int
			answer             string
		}{
			{"POST", "/internal/next-occurrence", `{"event_id":"01890a5d-ac96-774b-bcce-b302099a8057","user_id":"` + id + `","task_id":"` + task.ID + `"}`, http.StatusConflict, `"title":"Conflict"`},
			{"GET", "/internal/changes?user_id=" + id, "", http.StatusNotFound, `"title":"Not found"`},
			{"POST", "/internal/heads", `{"user_ids":["` + id + `"]}`, http.StatusOK, `{"heads":{}}`},
		} {
			status, _, body := s.call(r.method, s.app+r.path, r.body, "dapr-api-token", appToken)
			if status != r.status || !strings.Contains(body, r.answer) {
				t.Errorf("%s %s, %s: got %d %s, want %d", r.method, r.path, when, status, body, r.status)
			}
		}
	}
	check("at once")
	for deadline := time.Now().Add(time.Minute); s.count(`SELECT (SELECT count(*) FROM tasks) + (SELECT count(*) FROM account_deletions)`) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the data of the deleted account is not removed")
		}
	}
	check("when its data is gone")
	if n := s.count(`SELECT count(*) FROM outbox WHERE data LIKE '%"event_type":"deleted"%'`); n != 3 {
		t.Errorf("deleted events: got %d, want two of the task and one of the account", n)
	}
	if n := s.count(`SELECT count(*) FROM tasks`); n != 0 {
		t.Errorf("tasks: got %d, want none: something came back", n)
	}
}

// The other services read what ended when they start, and the websocket service reads it with a user's changes. The events are in
// the outbox in the order of the commits: the end of a session stands before a later change of the user.
func TestTheOtherServicesHearThatASessionHasEnded(t *testing.T) {
	t.Parallel()
	s := start(t, false)
	token, id := s.register("a@example.com")
	var session struct {
		SessionID    string `json:"session_id"`
		RefreshToken string `json:"refresh_token"`
	}
	_, _, body := s.call("POST", s.public+"/api/v1/auth/login", `{"email":"a@example.com","password":"correct horse"}`)
	if err := json.Unmarshal([]byte(body), &session); err != nil {
		t.Fatal(err)
	}
	if status, _, body := s.call("POST", s.public+"/api/v1/auth/logout", `{"refresh_token":"`+session.RefreshToken+`"}`); status != http.StatusNoContent {
		t.Fatalf("logout: got %d %s", status, body)
	}
	s.call("POST", s.public+"/api/v1/tasks", `{"title":"t"}`, "Authorization", token)
	for path, want := range map[string]string{
		"/internal/revocations":           `{"kind":"session","id":"` + session.SessionID + `","user_id":"` + id + `","at":"`,
		"/internal/changes?user_id=" + id: `"ended_sessions":["` + session.SessionID + `"]`,
	} {
		if status, _, body := s.call("GET", s.app+path, "", "dapr-api-token", appToken); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("GET %s: got %d %s, want %s in it", path, status, body, want)
		}
	}
	if n := s.count(`SELECT count(*) FROM outbox WHERE type = 'SessionUpdateEvent' AND topic = 'task-updates'
		AND id < (SELECT id FROM outbox WHERE type = 'TaskUpdateEvent')`); n != 1 {
		t.Errorf("told to the websocket service before the change: got %d events, want 1", n)
	}
	s.call("POST", s.public+"/api/v1/auth/login", `{"email":"a@example.com","password":"wrong horse"}`)
	for deadline := time.Now().Add(time.Minute); s.count(`SELECT count(*) FROM outbox WHERE data LIKE '%"event_type":"login_refused"%'`) == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the refused log-in is not recorded")
		}
	}
}

// The connection is lost after the COMMIT of a log-out was sent: the caller gets no 2xx and repeats, and the end of the session is
// recorded once.
func TestALostCommitOfALogOutIsSafeToRepeat(t *testing.T) {
	t.Parallel()
	s := start(t, false)
	s.register("a@example.com")
	var session struct {
		RefreshToken string `json:"refresh_token"`
	}
	_, _, body := s.call("POST", s.public+"/api/v1/auth/login", `{"email":"a@example.com","password":"correct horse"}`)
	if err := json.Unmarshal([]byte(body), &session); err != nil {
		t.Fatal(err)
	}
	logout := func() int {
		status, _, _ := s.call("POST", s.public+"/api/v1/auth/logout", `{"refresh_token":"`+session.RefreshToken+`"}`)
		return status
	}
	s.proxy.lose(`"event_type":"logged_out"`)
	if status := logout(); status != http.StatusServiceUnavailable {
		t.Fatalf("logout with the answer to its commit lost: got %d, want 503", status)
	}
	for range 2 {
		if status := logout(); status != http.StatusNoContent {
			t.Errorf("repeated: got %d, want 204", status)
		}
	}
	ends, revoked := s.count(`SELECT count(*) FROM outbox WHERE data LIKE '%"event_type":"logged_out"%'`), s.count(`SELECT count(*) FROM revocations`)
	if told := s.count(`SELECT count(*) FROM outbox WHERE type = 'SessionUpdateEvent'`); ends != 1 || revoked != 1 || told != 1 {
		t.Errorf("got %d events of the log-out, %d of the websocket service and %d revocations, want one each", ends, told, revoked)
	}
}

func (s *running) exec(sql string) {
	s.t.Helper()
	if err := s.db.Gorm.Exec(sql).Error; err != nil {
		s.t.Fatal(err)
	}
}
