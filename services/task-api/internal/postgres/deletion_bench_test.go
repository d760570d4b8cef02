package postgres_test

import (
	"testing"

	"github.com/taskwire/taskwire/pkg/events"
)

// BenchmarkDeletionOf100000Tasks measures how fast the data of such an account is removed, including its events.
func BenchmarkDeletionOf100000Tasks(b *testing.B) {
	const n = 100_000
	for b.Loop() {
		b.StopTimer()
		f := newFixture(b)
		u := f.User()
		f.Make(u, `{"title":"t","due_at":"2040-01-01T12:00:00Z","remind_at":"2040-01-01T11:00:00Z"}`)
		for from := 2; from <= n; from += 5000 { // one statement would exceed the statement timeout
			err := f.DB.Exec(`INSERT INTO tasks SELECT (jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid(), 'seq', i))).*
				FROM tasks t, generate_series(?::int, least(?::int, ?::int)) i WHERE t.seq = 1`, from, from+4999, n).Error
			if err != nil {
				b.Fatal(err)
			}
		}
		if err := f.DB.Exec(`UPDATE heads SET seq = ?`, n).Error; err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		f.deleteUser(u)
		if err := f.FinishDeletions(ctx()); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if sent := len(f.Sent(events.TopicTaskEvents)); sent != n+1 {
			b.Fatalf("task-events: got %d, want %d: one creation and %d deletions", sent, n+1, n)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "tasks/s")
}
