package accounts

// Runs returns how often argon2id ran.
func (h *Hasher) Runs() int64 { return h.runs.Load() }

// WrongPasswords returns how many wrong passwords slow down guesses on the account of an e-mail.
func (s *Service) WrongPasswords(email string) int { return s.brake.wrong.Used(EmailKey(email)) }

// DeviceOf is deviceOf.
func DeviceOf(userID string, by Client) Device { return deviceOf(userID, by) }
