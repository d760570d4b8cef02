package domain_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/taskwire/taskwire/services/notification/internal/domain"
)

// locked is a database whose due rows another replica has locked for a while.
type locked struct {
	waiting
	held atomic.Bool
}

func (l *locked) Settle(ctx context.Context, now time.Time, limit int, decide func(domain.Due, domain.Preferences) domain.Decision) (domain.Settled, error) {
	if l.held.Load() {
		return domain.Settled{}, nil
	}
	return l.waiting.Settle(ctx, now, limit, decide)
}

func metric(t *testing.T, reg *prometheus.Registry, name string) *dto.Metric {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0]
		}
	}
	t.Fatalf("there is no metric %s", name)
	return nil
}

// The lag grows while a due reminder is blocked and is 0 after the delivery, and the delay of the delivery is counted.
func TestTheLagIsTheWaitOfTheOldestDueReminder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg, rows := prometheus.NewRegistry(), &locked{}
		rows.held.Store(true)
		rows.add(time.Now().Add(10 * time.Second))
		rows.add(time.Now().Add(30 * time.Second))
		e := domain.NewEngine(rows, time.Now, slog.New(slog.DiscardHandler), reg)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- e.Run(ctx) }()
		lag := func() float64 { return metric(t, reg, "notification_reminder_lag_seconds").GetGauge().GetValue() }

		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := lag(); got != 0 {
			t.Errorf("before anything is due: lag %v, want 0", got)
		}
		time.Sleep(35 * time.Second)
		synctest.Wait()
		if got := lag(); got < 29 || got > 30 {
			t.Errorf("30 s after the first was due: lag %v, want 30 less the time since the last look", got)
		}
		rows.held.Store(false)
		time.Sleep(time.Second)
		synctest.Wait()
		if got := lag(); got != 0 {
			t.Errorf("after both are delivered: lag %v, want 0", got)
		}
		if h := metric(t, reg, "notification_reminder_delay_seconds").GetHistogram(); h.GetSampleCount() != 2 || h.GetSampleSum() < 40 || h.GetSampleSum() > 42 {
			t.Errorf("delays: got %d, %v s in all, want 2 of 30 s and 10 s", h.GetSampleCount(), h.GetSampleSum())
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
