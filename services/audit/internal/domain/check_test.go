package domain

import (
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Without this the alert AuditLogUnchecked would fire when the first check takes longer than the alert waits.
func TestTheTimeOfTheLastCheckBeginsWithTheProcess(t *testing.T) {
	t.Parallel()
	reg, before := prometheus.NewRegistry(), float64(time.Now().Unix())
	NewChecker(nil, nil, slog.New(slog.DiscardHandler), reg)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "audit_log_checked_timestamp_seconds" {
			continue
		}
		if got := f.GetMetric()[0].GetGauge().GetValue(); got < before {
			t.Errorf("audit_log_checked_timestamp_seconds: got %f, want at least %f", got, before)
		}
		return
	}
	t.Error("audit_log_checked_timestamp_seconds: not registered")
}
