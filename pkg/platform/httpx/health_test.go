package httpx

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestReadinessNamesTheMissingPartAndLogsItOnce(t *testing.T) {
	var log bytes.Buffer
	e := NewEngine(Config{Log: slog.New(slog.NewJSONHandler(&log, nil))})
	var failing error
	Health(e, map[string]func(context.Context) error{
		"database": func(context.Context) error { return failing },
		"sidecar":  func(context.Context) error { return nil },
		"keys":     func(context.Context) error { panic(secret) },
	}, nil)
	for n, step := range []struct {
		err   error
		state string
	}{{nil, "ok"}, {errors.New("dial tcp 10.0.0.7:5432: refused"), "unavailable"}, {errors.New("still 10.0.0.7"), "unavailable"}, {nil, "ok"}} {
		failing = step.err
		w := do(t, e, "GET", "/readyz", nil)
		if want := `{"parts":{"database":"` + step.state + `","keys":"unavailable","sidecar":"ok"},"status":"unavailable"}`; w.Code != 503 || w.Body.String() != want {
			t.Errorf("step %d: got %d %s, want 503 %s", n, w.Code, w.Body, want)
		}
	}
	if strings.Count(log.String(), "10.0.0.7") != 1 || strings.Count(log.String(), secret) != 1 || strings.Count(log.String(), "available again") != 1 {
		t.Errorf("want each reason in the log once, and the return: %s", log.String())
	}
	if w := do(t, e, "GET", "/healthz", nil); w.Code != 200 {
		t.Errorf("/healthz: got %d, want 200 whatever the database does", w.Code)
	}
	if w := do(t, e, "GET", "/metrics", nil); w.Code != 404 {
		t.Errorf("/metrics without a registry: got %d", w.Code)
	}
}

func TestReadinessAnswersInTimeWhenAPartHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := NewEngine(Config{})
		hangs := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		Health(e, map[string]func(context.Context) error{"database": hangs, "sidecar": hangs}, nil)
		begin := time.Now()
		if w := do(t, e, "GET", "/readyz", nil); w.Code != 503 {
			t.Errorf("got %d, want 503", w.Code)
		}
		if took := time.Since(begin); took != readyTimeout { // the test's own clock
			t.Errorf("took %s, want %s", took, readyTimeout)
		}
	})
}

func TestReadinessOfAServiceWithoutDependencies(t *testing.T) {
	e := NewEngine(Config{})
	Health(e, nil, nil)
	if w := do(t, e, "GET", "/readyz", nil); w.Code != 200 || !strings.Contains(w.Body.String(), `"ready"`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}
