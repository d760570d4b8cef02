package processed_test

import (
	"context"
	"errors"
	"testing"

	"github.com/taskwire/taskwire/pkg/platform/dapr"
	"github.com/taskwire/taskwire/services/recurring-task/internal/processed"
)

// state is a state store in memory; err fails every call.
type state struct {
	values map[string][]byte
	opts   int
	err    error
}

func (s *state) GetState(_ context.Context, key string) ([]byte, string, error) {
	return s.values[key], "", s.err
}

func (s *state) SaveState(_ context.Context, key string, value []byte, opts ...dapr.StateOption) error {
	if s.err == nil {
		s.values[key], s.opts = value, len(opts)
	}
	return s.err
}

func TestAnEventIsFoundAfterItWasAdded(t *testing.T) {
	s := &state{values: map[string][]byte{}}
	e := processed.New(s)
	if known, err := e.Has(t.Context(), "a"); known || err != nil {
		t.Errorf("before: %t, %v", known, err)
	}
	for range 2 {
		if err := e.Add(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
	if known, err := e.Has(t.Context(), "a"); !known || err != nil {
		t.Errorf("after: %t, %v", known, err)
	}
	if known, _ := e.Has(t.Context(), "b"); known {
		t.Error("another event is found")
	}
	if _, ok := s.values["processed:a"]; !ok || s.opts != 1 {
		t.Errorf("saved %v with %d options, want processed:a with its time to live", s.values, s.opts)
	}
}

func TestAStoreThatFailsIsAnError(t *testing.T) {
	down := errors.New("down")
	e := processed.New(&state{err: down})
	if _, err := e.Has(t.Context(), "a"); !errors.Is(err, down) {
		t.Errorf("Has: %v", err)
	}
	if err := e.Add(t.Context(), "a"); !errors.Is(err, down) {
		t.Errorf("Add: %v", err)
	}
}
