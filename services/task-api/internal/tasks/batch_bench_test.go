package tasks_test

import (
	"testing"

	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

// BenchmarkBatchCreates makes 500 tasks an operation, BenchmarkSingleCreates one, so that the cost of a task in a batch
// is a five hundredth of the first beside the second.
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
