package accounts

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
)

// Login is a new session, a token family, with its first refresh token.
type Login struct {
	FamilyID  string
	UserID    string
	Password  string // the password hash that was checked: the log-in starts only if the account still has it
	Hash      [sha256.Size]byte
	At        time.Time
	ExpiresAt time.Time
	Client    Client
	// Welcome queues the mail to verify the e-mail of a new account, in the transaction that makes it.
	Welcome bool
}

// Stored is a stored refresh token, whose row is locked.
type Stored struct {
	User          User
	FamilyID      string
	RotatedAt     *time.Time // nil if the token is unused
	Sealed        []byte     // the encrypted successor
	SuccessorUsed bool
	Dead          bool // whether the family is revoked
	ExpiresAt     time.Time
}

// Rotation is the decision about a presented token. If Revoke is set, its family is revoked for that reason. Otherwise, if Sealed
// is set, the token is used and Next replaces it. Otherwise nothing changes.
type Rotation struct {
	Revoke    string
	Next      [sha256.Size]byte
	Sealed    []byte
	At        time.Time
	ExpiresAt time.Time
	Client    Client
}

// Ending says which live sessions of a user end, and why. The zero Only and Except mean all of them.
type Ending struct {
	UserID       string
	Only, Except string // the id of a session
	Reason       string
	At           time.Time
}

// Record makes the events of a change in the change's transaction, which holds the user's lock. ended are the sessions that the
// change ended. If it returns an error, nothing is committed.
type Record func(tx publish.Tx, userID string, ended []string) error

// Store keeps accounts. Implementations return this package's errors. A method that takes a Record calls it in the transaction of
// the change, or not at all if nothing changes. When sessions end, they are in Revocations from the same commit on.
type Store interface {
	Devices
	Mails
	// CreateUser creates the account and its first session, or returns ErrEmailTaken.
	CreateUser(ctx context.Context, u User, passwordHash string, l Login, record Record) error
	// UserByEmail returns the user with one of these e-mails, the first one if both exist, or ErrNoUser.
	UserByEmail(ctx context.Context, emails ...string) (u User, passwordHash string, err error)
	// User returns ErrNoUser if there is none.
	User(ctx context.Context, id string) (User, error)
	// UpdateUser changes name and timezone. It leaves a nil value unchanged. If the zone changes and a reminder of the user is
	// still to come, it calls moved with the first such task, in the same transaction.
	UpdateUser(ctx context.Context, id string, name, timezone *string, now time.Time, moved func(publish.Tx, domain.Task) error) (User, error)
	// Exists reports whether the user exists.
	Exists(ctx context.Context, id string) (bool, error)
	// Provision creates an account without a password, once. It returns ErrNoUser if the data of the user's earlier account is
	// still being removed, or if the token was issued before that account was deleted.
	Provision(ctx context.Context, u User, issued time.Time, record Record) error
	// StartLogin starts a session. If the user then has more than MaxSessions, it ends those that were not used for longest. It
	// returns ErrWrong if the account has another password by now, or does not exist.
	StartLogin(ctx context.Context, l Login, record Record) error
	// PasswordHash returns the hash of the user's password, "" for an account without one, or ErrNoUser.
	PasswordHash(ctx context.Context, id string) (string, error)
	// ChangePassword replaces the hash old with that of the new session l, ends all other sessions and starts l, in one
	// transaction. It returns ErrWrong if the account has another password by now, or does not exist. With revoked, which gets
	// their ids, it also revokes the API tokens of the account.
	ChangePassword(ctx context.Context, old string, l Login, record, revoked Record) error
	// DeleteUser deletes the account and all sessions, and schedules the deletion of its data, in one transaction. It returns
	// ErrWrong if the account's hash is no longer passwordHash ("" for an account without one), or if there is no account.
	DeleteUser(ctx context.Context, id, passwordHash string, now time.Time, record Record) error
	// Rotate locks the token, calls decide and applies the decision, in one transaction that is committed before Rotate
	// returns. It calls record only if the decision is to revoke. It returns ErrRefused if there is no such token.
	Rotate(ctx context.Context, hash [sha256.Size]byte, decide func(Stored) (Rotation, error), record Record) error
	// Revoke ends the session of a refresh token. An unknown token, and one whose session has ended, is not an error.
	Revoke(ctx context.Context, hash [sha256.Size]byte, reason string, now time.Time, record Record) error
	// EndSessions ends live sessions of a user and returns how many. Sessions of other users are never among them. It returns
	// ErrNoUser if there is no such user.
	EndSessions(ctx context.Context, e Ending, record Record) (int, error)
	// Sessions returns the live sessions of a user, the one that was used last first.
	Sessions(ctx context.Context, userID string, now time.Time) ([]LiveSession, error)
	// Note records what changes nothing, for a user who exists. It returns ErrNoUser otherwise.
	Note(ctx context.Context, userID string, record Record) error
	// Revocations returns a page of what was revoked since a time, oldest first. after is the cursor of the page before, or "".
	// It returns ErrCursor for another text.
	Revocations(ctx context.Context, since time.Time, after string, limit int) (RevocationPage, error)
}
