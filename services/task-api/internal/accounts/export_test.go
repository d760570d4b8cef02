package accounts

// Runs returns how often argon2id ran.
func (h *Hasher) Runs() int64 { return h.runs.Load() }
