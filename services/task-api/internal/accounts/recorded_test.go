package accounts_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

// This file reads what the service recorded: events, revocations and log lines.

// logged keeps log lines at the default level.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// outboxed returns the payloads of a user's events of a topic, in the order in which the relay sends them.
func (r *rig) outboxed(topic, userID string) [][]byte {
	r.t.Helper()
	var rows []struct{ Data []byte }
	if err := r.db.Gorm.Raw(`SELECT data FROM outbox WHERE topic = ? AND key = ? ORDER BY id`, topic, userID).Scan(&rows).Error; err != nil {
		r.t.Fatal(err)
	}
	list := make([][]byte, len(rows))
	for i, row := range rows {
		list[i] = row.Data
	}
	return list
}

// events returns the account events of a user, in order.
func (r *rig) events(userID string) []events.AccountEvent {
	r.t.Helper()
	var list []events.AccountEvent
	for _, data := range r.outboxed(events.TopicAccountEvents, userID) {
		e, err := events.DecodeAccountEvent(data)
		if err != nil {
			r.t.Fatalf("%s: %v", data, err)
		}
		list = append(list, e)
	}
	return list
}

// told returns the ended sessions that the websocket service is told of, one text for each event.
func (r *rig) told(userID string) []string {
	r.t.Helper()
	var list []string
	for _, data := range r.outboxed(events.TopicTaskUpdates, userID) {
		e, err := events.DecodeSessionUpdateEvent(data)
		if err != nil {
			r.t.Fatalf("%s: %v", data, err)
		}
		list = append(list, strings.Join(e.SessionIDs, " "))
	}
	return list
}

// described returns the events of a user as "type session reason".
func (r *rig) described(userID string) []string {
	r.t.Helper()
	var list []string
	for _, e := range r.events(userID) {
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s %s", e.EventType, e.SessionID, e.Reason)))
	}
	return list
}

// revocations returns everything that was revoked, as "kind id", in order.
func (r *rig) revocations() []string {
	r.t.Helper()
	var list []string
	after := ""
	for {
		page, err := r.Revocations(ctx, r.now().AddDate(-1, 0, 0), after, 2)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, item := range page.Items {
			list = append(list, item.Kind+" "+item.ID)
		}
		if after = page.Next; !page.HasMore {
			return list
		}
	}
}

// login logs in from a client.
func (r *rig) login(email string, by accounts.Client) accounts.Session {
	r.t.Helper()
	s, err := r.Login(ctx, email, "correct horse", by)
	if err != nil {
		r.t.Fatalf("Login(%s): %v", email, err)
	}
	return s
}
