package httpapi_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"gorm.io/gorm"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/services/notification/internal/domain"
	"github.com/taskwire/taskwire/services/notification/internal/httpapi"
	"github.com/taskwire/taskwire/services/notification/internal/postgres"
	"github.com/taskwire/taskwire/testkit/apitest"
	"github.com/taskwire/taskwire/testkit/authtest"
	"github.com/taskwire/taskwire/testkit/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	ada = "0190a000-0000-7000-8000-0000000000aa"
	bob = "0190a000-0000-7000-8000-0000000000bb"
)

// document is the API document of all services.
const document = "../../../task-api/api/openapi.yaml"

func TestTheDocumentHasTheRoutesAndNoOthers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var routes []string
	for _, route := range r.engine.Routes() {
		routes = append(routes, route.Method+" "+route.Path)
	}
	r.document.CheckRoutes(t, "notification", routes)
}

// rig is the API on real Postgres with real tokens.
type rig struct {
	t      *testing.T
	db     *gorm.DB
	store  *postgres.Store
	engine *gin.Engine
	signer *auth.Signer
	woken  int
	// every answer is checked against it
	document apitest.Document
}

func newRig(t *testing.T) *rig {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	db := pgtest.New(t, "notifications", postgres.Migrations()...).Gorm
	r := &rig{t: t, db: db, store: postgres.New(db, outbox.New(db, quiet)), signer: authtest.NewSigner(t), document: apitest.File(t, document)}
	r.engine = httpx.NewEngine(httpx.Config{Service: "notification", Log: quiet, Registerer: prometheus.NewRegistry()})
	mailbox := domain.NewMailbox(r.store, time.Now, func() { r.woken++ })
	httpapi.Register(r.engine, mailbox, auth.Middleware(auth.NewVerifier(r.signer.Keys, quiet)))
	return r
}

// notify delivers a reminder of the user's task number n and returns the id of the notification.
func (r *rig) notify(user string, n int) string {
	r.t.Helper()
	now := time.Now().UTC()
	task := fmt.Sprintf("0190a000-0000-7000-8000-%012d", n)
	err := r.db.Transaction(func(tx *gorm.DB) error {
		_, err := r.store.Apply(r.t.Context(), tx, domain.Reminder{
			TaskID: task, UserID: user, Title: fmt.Sprint("task ", n), DueAt: now.Add(time.Hour), RemindAt: now, TaskVersion: 1, EventAt: now,
		})
		return err
	})
	if err != nil {
		r.t.Fatalf("Apply: %v", err)
	}
	engine := domain.NewEngine(r.store, time.Now, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if made, err := engine.RunOnce(r.t.Context()); err != nil || made != 1 {
		r.t.Fatalf("RunOnce: %d, %v", made, err)
	}
	var id string
	if err := r.db.Raw(`SELECT id FROM notifications WHERE task_id = ?`, task).Scan(&id).Error; err != nil {
		r.t.Fatal(err)
	}
	return id
}

// do sends a request as user, or without a token for "". It checks the status and decodes the answer into out if that
// is not nil.
func (r *rig) do(user, method, path, body string, wantStatus int, out any) {
	r.t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if user != "" {
		req.Header.Set("Authorization", authtest.Bearer(r.t, r.signer, user, auth.RoleUser))
	}
	rec := httptest.NewRecorder()
	r.engine.ServeHTTP(rec, req)
	r.document.CheckAnswer(r.t, method, path, rec.Code, rec.Header(), rec.Body.Bytes())
	if rec.Code != wantStatus {
		r.t.Errorf("%s %s %s: status %d, want %d: %s", method, path, body, rec.Code, wantStatus, rec.Body)
		return
	}
	if wantStatus >= 400 {
		if got := rec.Header().Get("Content-Type"); got != "application/problem+json" {
			r.t.Errorf("%s %s: an error as %s", method, path, got)
		}
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(rec.Body.Bytes(), out); err != nil {
		r.t.Errorf("%s %s: %v in %s", method, path, err, rec.Body)
	}
}

type notification struct {
	ID, Kind, Title, Body string
	Seq                   int64      `json:"notification_seq"`
	TaskID                string     `json:"task_id"`
	DueAt                 *time.Time `json:"due_at"`
	ReadAt                *time.Time `json:"read_at"`
	SnoozedUntil          *time.Time `json:"snoozed_until"`
	CreatedAt             time.Time  `json:"created_at"`
}

type page struct {
	Items      []notification
	NextCursor string `json:"next_cursor"`
	Unread     int64
	Seq        int64 `json:"notification_seq"`
}

type problem struct {
	Errors []struct{ Field, Message string }
}

const list = "/api/v1/notifications"

// wantRefused sends a request and checks that it is refused with the status and the name of the field.
func (r *rig) wantRefused(method, path, body string, status int, field string) {
	r.t.Helper()
	var p problem
	r.do(ada, method, path, body, status, &p)
	if len(p.Errors) == 0 || p.Errors[0].Field != field {
		r.t.Errorf("%s %s %s: names %+v, want %s", method, path, body, p.Errors, field)
	}
}

func get(r *rig, path string) (p page) {
	r.t.Helper()
	r.do(ada, http.MethodGet, path, "", http.StatusOK, &p)
	return p
}
