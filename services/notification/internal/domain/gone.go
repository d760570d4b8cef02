package domain

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"
)

const (
	// usersPage is how many users the task API is asked about at once: its limit.
	usersPage = 1000
	// goneRounds is in how many rounds in a row an account must be missing before what is kept of it goes. One answer of
	// a task API whose database is just being restored must not be enough.
	goneRounds = 2
)

// KeptUsers is the users of whom the database has something.
type KeptUsers interface {
	// Users returns up to limit users, in order, from the one that follows after on.
	Users(ctx context.Context, after string, limit int) ([]string, error)
	// Forget removes all of a user.
	Forget(ctx context.Context, userID string) error
}

// Accounts is the task API, which has the accounts.
type Accounts interface {
	// Existing says which of the users have an account.
	Existing(ctx context.Context, userIDs []string) (map[string]bool, error)
}

// Janitor removes what is kept of accounts that are gone. No event says that an account ends, only that its open
// reminders do; and an event could come before the last reminder of the account. So the janitor asks, from time to time,
// about every user of whom there is something, and whatever comes late is found the next time.
type Janitor struct {
	kept     KeptUsers
	accounts Accounts
	every    time.Duration
	log      *slog.Logger
	missing  map[string]int // rounds in a row
}

// NewJanitor makes a janitor that goes round every so often, each second at most.
func NewJanitor(kept KeptUsers, accounts Accounts, every time.Duration, log *slog.Logger) *Janitor {
	return &Janitor{kept: kept, accounts: accounts, every: max(every, time.Second), log: log, missing: map[string]int{}}
}

// Run goes round until ctx is done. A round that fails is logged, and the next one does its work.
func (j *Janitor) Run(ctx context.Context) error {
	tick := time.NewTicker(j.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := j.Round(ctx); err != nil && ctx.Err() == nil {
			j.log.WarnContext(ctx, "accounts that are gone cannot be looked for, trying again later", "error", err.Error())
		}
	}
}

// Round asks about every user once.
func (j *Janitor) Round(ctx context.Context) error {
	after, missing := uuid.Nil.String(), map[string]int{}
	for {
		users, err := j.kept.Users(ctx, after, usersPage)
		if err != nil {
			return err
		}
		if len(users) == 0 {
			j.missing = missing
			return nil
		}
		after = users[len(users)-1]
		existing, err := j.accounts.Existing(ctx, users)
		if err != nil {
			return err
		}
		for _, id := range users {
			if existing[id] {
				continue
			}
			if missing[id] = j.missing[id] + 1; missing[id] < goneRounds {
				continue
			}
			if err := j.kept.Forget(ctx, id); err != nil {
				return err
			}
			delete(missing, id)
			j.log.InfoContext(ctx, "account is gone, what was kept of it is removed", "user_id", id)
		}
	}
}
