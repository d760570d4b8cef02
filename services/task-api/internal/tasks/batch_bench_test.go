package tasks_test

import (
	"testing"

	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

// BenchmarkBatchCreates creates tasks.MaxBatch tasks per operation, and BenchmarkSingleCreates creates one. Compare the
// first, divided by tasks.MaxBatch, with the second: the cost of a task in a batch and alone.
func BenchmarkBatchCreates(b *testing.B) {
	f := newFixture(b)
	user := f.User()
	ops := make([]tasks.Op, tasks.MaxBatch)
	for i := range ops {
		ops[i] = f.CreateOp(`{"title":"Buy milk","tags":["home"],"due_date":"2030-01-01"}`)
	}
	for b.Loop() {
		f.batch(tasks.BatchRequest{UserID: user, Ops: ops})
	}
}

func BenchmarkSingleCreates(b *testing.B) {
	f := newFixture(b)
	user := f.User()
	for b.Loop() {
		f.Make(user, `{"title":"Buy milk","tags":["home"],"due_date":"2030-01-01"}`)
	}
}
