package accounts

import "context"

// Runs returns how often argon2id ran.
func (h *Hasher) Runs() int64 { return h.runs.Load() }

// WriteRefusals writes the events of refused log-ins that are due.
func (s *Service) WriteRefusals() { s.writeRefusals(context.Background(), false) }

// WriteRefusalsWith is WriteRefusals with a context.
func (s *Service) WriteRefusalsWith(ctx context.Context) { s.writeRefusals(ctx, false) }
