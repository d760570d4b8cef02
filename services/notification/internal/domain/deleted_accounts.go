package domain

// This file decides when the data of a deleted account is removed.

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"
)

const (
	// usersPage is the number of users in one request to the task API: its limit.
	usersPage = 1000
	// missingRounds is the number of consecutive rounds in which an account must be missing before its data is removed. One
	// answer is not enough: the task API's database may be in the middle of a restore.
	missingRounds = 2
)

// UserData accesses the users that have data in the database.
type UserData interface {
	// Users returns up to limit users with ids greater than after, in order.
	Users(ctx context.Context, after string, limit int) ([]string, error)
	// RemoveUser removes all data of a user.
	RemoveUser(ctx context.Context, userID string) error
}

// Accounts is the task API, which owns the accounts.
type Accounts interface {
	// Existing returns which of the users have an account.
	Existing(ctx context.Context, userIDs []string) (map[string]bool, error)
}

// Janitor removes the data of deleted accounts. No event reports that an account was deleted, and such an event could
// arrive before the account's last reminder. So the janitor regularly asks the task API about every user that has data.
// Data that arrives late is removed in a later round.
type Janitor struct {
	data     UserData
	accounts Accounts
	every    time.Duration
	log      *slog.Logger
	missing  map[string]int // rounds in a row
}

// NewJanitor returns a janitor that starts a round every interval every, but at most once a second.
func NewJanitor(data UserData, accounts Accounts, every time.Duration, log *slog.Logger) *Janitor {
	return &Janitor{data: data, accounts: accounts, every: max(every, time.Second), log: log, missing: map[string]int{}}
}

// Run runs rounds until ctx ends. It logs a round that fails; the next round does its work.
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
			j.log.WarnContext(ctx, "cannot look for deleted accounts; the next round tries again", "error", err.Error())
		}
	}
}

// Round asks the task API about every user once.
func (j *Janitor) Round(ctx context.Context) error {
	after, missing := uuid.Nil.String(), map[string]int{}
	for {
		users, err := j.data.Users(ctx, after, usersPage)
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
			if missing[id] = j.missing[id] + 1; missing[id] < missingRounds {
				continue
			}
			if err := j.data.RemoveUser(ctx, id); err != nil {
				return err
			}
			delete(missing, id)
			j.log.InfoContext(ctx, "removed the data of a deleted account", "user_id", id)
		}
	}
}
