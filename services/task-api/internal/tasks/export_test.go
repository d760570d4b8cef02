package tasks

import (
	"context"

	"github.com/taskwire/taskwire/pkg/events"
)

// CreateTogether writes creates in one transaction, as the batcher does, and then the missed ones alone. The outcomes have
// the order of list.
func (s *Service) CreateTogether(ctx context.Context, list []CreateRequest) []Created {
	batch := make([]*request, len(list))
	out := make([]Created, len(list))
	for i, c := range list {
		r, err := newCreate(ctx, c)
		if err != nil {
			panic(err)
		}
		batch[i] = r
	}
	s.createTogether(ctx, batch)
	for i, r := range batch {
		answer, err := s.created(r)
		out[i] = Created{answer.Task, answer.Replayed, err}
	}
	return out
}

// Created has the results of Create.
type Created struct {
	Task     events.TaskData
	Replayed bool
	Err      error
}
