package service

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/taskwire/taskwire/pkg/platform/httpx"
)

func answers(context.Context) error { return nil }

func TestTheGateHoldsBackWhatNeedsTheTables(t *testing.T) {
	migrating := make(chan struct{})
	g := NewMigrationGate(answers, func(context.Context) error { <-migrating; return nil })
	e := httpx.NewEngine(httpx.Config{})
	e.Use(g.requireMigrated)
	e.GET("/x", func(c *gin.Context) { c.Status(http.StatusNoContent) })
	get := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/x", nil))
		return w
	}
	migrated, ended := make(chan error, 1), make(chan error, 1)
	go func() { migrated <- g.AwaitMigration(t.Context()) }()
	worked := false
	go func() {
		ended <- g.AfterMigration(t.Context(), func(context.Context) error { worked = true; return nil })()
	}()

	if w := get(); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "2" {
		t.Errorf("before: got %d %v, want 503 and Retry-After 2", w.Code, w.Header())
	}
	if err := g.Ready(t.Context()); !errors.Is(err, ErrMigrating) {
		t.Errorf("before: Ready = %v", err)
	}
	close(migrating)
	if err := errors.Join(<-migrated, <-ended); err != nil || !worked {
		t.Errorf("AwaitMigration and AfterMigration: got %v, worked %v", err, worked)
	}
	if w := get(); w.Code != http.StatusNoContent {
		t.Errorf("after: got %d", w.Code)
	}
	if err := g.Ready(t.Context()); err != nil {
		t.Errorf("after: Ready = %v", err)
	}
}

func TestTheGateHoldsDeliveriesButNotQuestionsAboutTheApp(t *testing.T) {
	g := NewMigrationGate(answers, answers)
	h := g.holdDeliveries(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), []string{"/internal/jwks"})
	check := func(when string, heldStatus int) {
		t.Helper()
		for _, tc := range []struct {
			method, path string
			want         int
		}{
			{http.MethodPost, "/events/task-events", heldStatus},
			{http.MethodPost, "/reminder-cron", heldStatus},
			{http.MethodPost, "/internal/heads", heldStatus},
			{http.MethodGet, "/internal/changes", heldStatus},
			{http.MethodGet, "/internal/jwks", http.StatusOK},
			{http.MethodOptions, "/reminder-cron", http.StatusOK},
			{http.MethodGet, "/healthz", http.StatusOK},
			{http.MethodGet, "/dapr/config", http.StatusOK},
		} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(tc.method, tc.path, nil))
			if w.Code != tc.want {
				t.Errorf("%s: %s %s: got %d, want %d", when, tc.method, tc.path, w.Code, tc.want)
			}
		}
	}
	check("before", http.StatusServiceUnavailable)
	if err := g.AwaitMigration(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("after", http.StatusOK)
}

func TestADatabaseThatRefusesTheServiceEndsIt(t *testing.T) {
	broken := errors.New("password authentication failed")
	if err := NewMigrationGate(answers, func(context.Context) error { return broken }).AwaitMigration(t.Context()); !errors.Is(err, broken) {
		t.Errorf("got %v, want the reason", err)
	}
}

func TestAWaitForTheMigrationThatIsStoppedIsNoError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g := NewMigrationGate(answers, func(ctx context.Context) error { return ctx.Err() })
	work := func(context.Context) error { return errors.New("worked on a database that is not migrated") }
	if err := errors.Join(g.AwaitMigration(ctx), g.AfterMigration(ctx, work)()); err != nil {
		t.Errorf("got %v, want nil", err)
	}
	if err := g.Ready(t.Context()); !errors.Is(err, ErrMigrating) {
		t.Errorf("Ready = %v", err)
	}
}

func TestADatabaseAfterASideIsAMistakeOfTheProgram(t *testing.T) {
	s := &Service{built: true}
	defer func() {
		if recover() == nil {
			t.Error("UseGate after PublicEngine: got no panic")
		}
	}()
	s.UseGate(NewMigrationGate(answers, answers))
}
