package service

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/testkit/pgtest"
)

func TestASchemaHoldsBackWhatNeedsItsTables(t *testing.T) {
	begin := make(chan struct{})
	s := NewSchema(pgtest.New(t, "tasks").Gorm, func(context.Context) error { <-begin; return nil })
	e := httpx.NewEngine(httpx.Config{})
	e.Use(s.Guard)
	e.GET("/x", func(c *gin.Context) { c.Status(http.StatusNoContent) })
	get := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/x", nil))
		return w
	}
	ran, ended := make(chan error, 1), make(chan error, 1)
	go func() { ran <- s.Run(t.Context()) }()
	worked := false
	go func() { ended <- s.Then(t.Context(), func(context.Context) error { worked = true; return nil })() }()

	if w := get(); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "2" {
		t.Errorf("before: got %d %v, want 503 and when to try again", w.Code, w.Header())
	}
	if err := s.Ready(t.Context()); !errors.Is(err, errMigrating) {
		t.Errorf("before: Ready = %v", err)
	}
	close(begin)
	if err := errors.Join(<-ran, <-ended); err != nil || !worked {
		t.Errorf("Run and Then: got %v, worked %v", err, worked)
	}
	if w := get(); w.Code != http.StatusNoContent {
		t.Errorf("after: got %d", w.Code)
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("after: Ready = %v", err)
	}
}

func TestAMigrationThatFailsEndsTheServiceAndOneThatIsStoppedDoesNot(t *testing.T) {
	broken := errors.New("the schema is of a later version")
	if err := NewSchema(nil, func(context.Context) error { return broken }).Run(t.Context()); !errors.Is(err, broken) {
		t.Errorf("got %v, want the reason", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := NewSchema(nil, func(ctx context.Context) error { return ctx.Err() })
	if err := errors.Join(s.Run(ctx), s.Then(ctx, func(context.Context) error { return broken })()); err != nil {
		t.Errorf("stopped: got %v, want nil", err)
	}
	if err := s.Ready(t.Context()); !errors.Is(err, errMigrating) {
		t.Errorf("stopped: Ready = %v", err)
	}
}
