package postgres

// This file numbers the changes of the users' inboxes. A transaction that changes an inbox first locks it (lockInboxes), and
// holds the lock until it ends. So the numbers of an inbox have no gaps, follow the order of the commits, and are in that
// order in the outbox.
//
// The locks are taken in the order reminders, notifications, heads. A transaction that holds an inbox waits for no other row.

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
)

const (
	// lockHeads locks the users in the order of their ids, so that two transactions with several users never wait for each
	// other.
	lockHeads = `
INSERT INTO heads AS h (user_id) SELECT DISTINCT id::uuid FROM unnest($1::text[]) AS u (id) ORDER BY 1
ON CONFLICT (user_id) DO UPDATE SET seq = h.seq RETURNING user_id, seq`

	// countUnread is a statement after lockHeads, because it must see what the last holder of a lock committed. It counts the
	// rows instead of keeping a number, so nothing can drift.
	countUnread = `
SELECT user_id, count(*) FROM notifications WHERE user_id = ANY($1::text[]::uuid[]) AND read_at IS NULL GROUP BY user_id`

	logChanges = `
INSERT INTO changes (user_id, seq, payload)
SELECT user_id::uuid, seq, payload FROM unnest($1::text[], $2::bigint[], $3::text[]) AS c (user_id, seq, payload)`

	moveHeads = `
UPDATE heads h SET seq = n.seq FROM unnest($1::text[]::uuid[], $2::bigint[]) AS n (user_id, seq) WHERE h.user_id = n.user_id`
)

// inboxes are the inboxes that a transaction has locked, with the changes that it makes.
type inboxes struct {
	tx    *outbox.Tx
	heads map[string]*head // by user
	log   struct {
		users, payloads []string
		seqs            []int64
	}
}

// head is the state of one inbox after the changes so far.
type head struct{ seq, unread int64 }

// lockInboxes locks the inboxes of the users until tx ends.
func lockInboxes(ctx context.Context, tx *outbox.Tx, users []string) (*inboxes, error) {
	in := &inboxes{tx: tx, heads: make(map[string]*head, len(users))}
	type row struct {
		user   string
		number int64
	}
	scan := func(rows *sql.Rows, r *row) error { return rows.Scan(&r.user, &r.number) }
	locked, err := collect(ctx, tx.DB, "lock inboxes", scan, lockHeads, users)
	if err != nil {
		return nil, err
	}
	for _, r := range locked {
		in.heads[r.user] = &head{seq: r.number}
	}
	unread, err := collect(ctx, tx.DB, "count unread notifications", scan, countUnread, users)
	if err != nil {
		return nil, err
	}
	for _, r := range unread {
		in.heads[r.user].unread = r.number
	}
	return in, nil
}

// count changes the number of unread notifications without an event.
func (in *inboxes) count(userID string, unread int64) { in.heads[userID].unread += unread }

// add makes ev the next change of its user's inbox, which has that many more unread notifications afterwards. It sets the
// event's numbers, and adds the event to the outbox and to the log.
func (in *inboxes) add(ev *events.NotificationEvent, unread int64) error {
	in.count(ev.UserID, unread)
	h := in.heads[ev.UserID]
	h.seq++
	ev.NotificationSeq, ev.Unread = h.seq, h.unread
	data, err := ev.Encode()
	if err != nil {
		return fmt.Errorf("make %s of notification %s: %w", ev.Name(), ev.NotificationID, err)
	}
	in.tx.Add(outbox.Message{
		Topic: ev.Topic(), Key: ev.Key(), EventID: ev.EventID, Type: ev.Name(), Subject: ev.Subject(), Data: data,
	})
	in.log.users, in.log.seqs, in.log.payloads = append(in.log.users, ev.UserID), append(in.log.seqs, h.seq), append(in.log.payloads, string(data))
	return nil
}

// save writes the log and the heads at the end of the transaction.
func (in *inboxes) save() {
	if len(in.log.users) == 0 {
		return
	}
	users, seqs := make([]string, 0, len(in.heads)), make([]int64, 0, len(in.heads))
	for user, h := range in.heads {
		users, seqs = append(users, user), append(seqs, h.seq)
	}
	in.tx.Defer(logChanges, in.log.users, in.log.seqs, in.log.payloads)
	in.tx.Defer(moveHeads, users, seqs)
}
