package accounts

import "context"

// Runs returns how often argon2id ran.
func (h *Hasher) Runs() int64 { return h.runs.Load() }

// WrongPasswords returns how many wrong passwords slow down guesses on the account of an e-mail.
func (s *Service) WrongPasswords(email string) int { return s.brake.wrong.Used(EmailKey(email)) }

// DeviceOf is deviceOf.
func DeviceOf(userID string, by Client) Device { return deviceOf(userID, by) }

// WriteRefusals writes the events of refused log-ins that are due.
func (s *Service) WriteRefusals() { s.writeRefusals(context.Background(), false) }

// WriteRefusalsWith is WriteRefusals with a context.
func (s *Service) WriteRefusalsWith(ctx context.Context) { s.writeRefusals(ctx, false) }
