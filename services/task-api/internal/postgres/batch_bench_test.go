package postgres

import "testing"

// BenchmarkBatchCreates makes 500 tasks an operation, BenchmarkSingleCreates one, so that the cost of a task in a batch
// is a five hundredth of the first beside the second.
func BenchmarkBatchCreates(b *testing.B) {
	f := newFixture(b)
	user := f.user()
	ops := make([]Op, MaxBatch)
	for i := range ops {
		ops[i] = f.createOp(`{"title":"Buy milk","tags":["home"],"due_date":"2030-01-01"}`)
	}
	for b.Loop() {
		f.batch(BatchRequest{UserID: user, Ops: ops})
	}
}

func BenchmarkSingleCreates(b *testing.B) {
	f := newFixture(b)
	user := f.user()
	for b.Loop() {
		f.create(user, `{"title":"Buy milk","tags":["home"],"due_date":"2030-01-01"}`)
	}
}
