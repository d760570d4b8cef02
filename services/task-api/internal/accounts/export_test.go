package accounts

// Runs is how often argon2id ran.
func (h *Hasher) Runs() int64 { return h.runs.Load() }
