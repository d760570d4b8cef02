package events

import (
	"slices"
	"time"
)

// AccountEvent is the record of one thing that happened to an account or to one of its sessions. The audit log stores it. Every
// process with a public side reads it, and refuses the tokens of sessions and accounts that have ended.
type AccountEvent struct {
	// EventID is a UUIDv7 made in the transaction of the change; consumers de-duplicate on it.
	EventID string `json:"event_id"`
	// SchemaVersion is the version of the format; this event has no original form.
	SchemaVersion int `json:"schema_version"`
	// EventType is what happened. The set is open: the audit log keeps a type that it does not know, other readers pass over it.
	EventType AccountEventType `json:"event_type"`
	// UserID is the user whose account it is.
	UserID string `json:"user_id"`
	// Timestamp is when it happened.
	Timestamp time.Time `json:"timestamp"`
	// SessionID is the session that began or ended; for token_created and token_revoked the personal API token.
	SessionID string `json:"session_id,omitempty"`
	// Actor is who did it: a user's id, or the name of a service or a program. Absent when a stranger did it.
	Actor string `json:"actor,omitempty"`
	// Address is the IP address that the request came from.
	Address string `json:"address,omitempty"`
	// Device is the User-Agent of the request, without control characters.
	Device string `json:"device,omitempty"`
	// Reason is why a session ended or a request was refused, in one line.
	Reason string `json:"reason,omitempty"`
	// Role is the new role, for role_changed.
	Role string `json:"role,omitempty"`
	// Count is how many refused log-ins the event stands for; absent means one.
	Count int64 `json:"count,omitempty"`
}

// AccountEventType is what happened to an account. The set is open: a decoder accepts a type that it does not know.
type AccountEventType string

// What happens to an account: the types of an AccountEvent.
const (
	AccountRegistered      AccountEventType = "registered"       // The account is new. An account with a password begins its first session, session_id.
	AccountLoggedIn        AccountEventType = "logged_in"        // The session session_id began.
	AccountLoginRefused    AccountEventType = "login_refused"    // A log-in to the account was refused; count of them, since the last such event.
	AccountLoggedOut       AccountEventType = "logged_out"       // The user ended the session session_id by logging out.
	AccountPasswordChanged AccountEventType = "password_changed" // The account has another password. Each session that this ends has an event session_ended.
	AccountRoleChanged     AccountEventType = "role_changed"     // The account has another role. Tokens with the earlier role have the new one at once.
	AccountSessionEnded    AccountEventType = "session_ended"    // The session session_id ended, for another reason than a log-out.
	AccountDeleted         AccountEventType = "deleted"          // The account was deleted. All of its sessions ended, and its tokens made until then are not valid.
	AccountTokenCreated    AccountEventType = "token_created"    // The user made a personal API token.
	AccountTokenRevoked    AccountEventType = "token_revoked"    // The personal API token session_id is no longer valid.
	AccountEmailVerified   AccountEventType = "email_verified"   // The user has shown that the e-mail address is theirs.
)

// AccountTypes returns the types that an AccountEvent has.
func AccountTypes() []AccountEventType {
	return []AccountEventType{AccountRegistered, AccountLoggedIn, AccountLoginRefused, AccountLoggedOut, AccountPasswordChanged, AccountRoleChanged,
		AccountSessionEnded, AccountDeleted, AccountTokenCreated, AccountTokenRevoked, AccountEmailVerified}
}

// aboutSession are the types whose event names a session (or a token).
var aboutSession = []AccountEventType{AccountLoggedIn, AccountLoggedOut, AccountSessionEnded, AccountTokenCreated, AccountTokenRevoked}

// ID implements Event.
func (e AccountEvent) ID() string { return e.EventID }

// Name implements Event.
func (e AccountEvent) Name() string { return NameAccountEvent }

// Topic implements Event.
func (e AccountEvent) Topic() string { return TopicAccountEvents }

// Key implements Event.
func (e AccountEvent) Key() string { return e.UserID }

// Subject implements Event. It is the user_id, because the event is about no task.
func (e AccountEvent) Subject() string { return e.UserID }

// Encode implements Event. Times are written in UTC.
func (e AccountEvent) Encode() ([]byte, error) { return encode(&e) }

// Validate returns nil, or a *ValidationError that names the first field that breaks a rule. An event of a known type about a
// session needs session_id, and role_changed needs role.
func (e AccountEvent) Validate() error {
	var c checker
	c.account(e.EventID, e.SchemaVersion, e.UserID, e.Timestamp)
	c.text("event_type", string(e.EventType), 1, MaxEventType)
	if slices.Contains(aboutSession, e.EventType) {
		c.id("session_id", e.SessionID)
	} else {
		c.optionalID("session_id", e.SessionID)
	}
	c.text("actor", e.Actor, 0, MaxActor)
	c.text("address", e.Address, 0, MaxAddress)
	c.text("device", e.Device, 0, MaxDevice)
	c.text("reason", e.Reason, 0, MaxSessionReason)
	least := 0
	if e.EventType == AccountRoleChanged {
		least = 1
	}
	c.text("role", e.Role, least, MaxRole)
	c.number("count", e.Count, 0)
	return c.result()
}

// DecodeAccountEvent reads an AccountEvent. This event has no original form, and an unknown event_type is no error. Otherwise
// errors are as in DecodeTaskEvent.
func DecodeAccountEvent(data []byte) (AccountEvent, error) {
	var e AccountEvent
	return e, decode(data, &e)
}

func (e *AccountEvent) normalise() { e.Timestamp = utc(e.Timestamp) }

func (e *AccountEvent) head() envelope {
	return envelope{EventID: e.EventID, SchemaVersion: e.SchemaVersion, EventType: Type(e.EventType), UserID: e.UserID, Timestamp: e.Timestamp}
}

func (e *AccountEvent) setHead(h envelope) {
	*e = AccountEvent{EventID: h.EventID, SchemaVersion: h.SchemaVersion, EventType: AccountEventType(h.EventType), UserID: h.UserID, Timestamp: h.Timestamp}
}

// knows takes every type: the audit log keeps what it does not know.
func (e *AccountEvent) knows(Type) bool { return true }

// upcast does nothing: the first version of this system published no account events.
func (e *AccountEvent) upcast(fields) {}

func (e *AccountEvent) complete() {
	completeHead(&e.SchemaVersion, &e.EventID, &e.UserID, &e.SessionID)
}
