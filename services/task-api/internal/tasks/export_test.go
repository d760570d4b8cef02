package tasks

import (
	"context"

	"github.com/taskwire/taskwire/pkg/events"
)

// CreateTogether decides requests in one transaction, as a batch of creates does, and then alone those that it missed.
// Its outcomes are in the order of the requests.
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
		out[i].Task, out[i].Replayed, out[i].Err = s.created(r)
	}
	return out
}

// Created is what Create returns.
type Created struct {
	Task     events.TaskData
	Replayed bool
	Err      error
}
