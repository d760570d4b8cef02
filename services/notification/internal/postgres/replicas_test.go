package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"gorm.io/gorm"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/inbox"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/services/notification/internal/domain"
	"github.com/taskwire/taskwire/services/notification/internal/postgres"
)

// broker records what is published, and is away for every tenth bulk. Half of these bulks arrive nevertheless.
type broker struct {
	mu     sync.Mutex
	random *rand.Rand
	got    []outbox.Message
}

func (b *broker) PublishBulk(_ context.Context, _ string, msgs []outbox.Message) (map[string]error, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	away := b.random.IntN(10) == 0
	if !away || b.random.IntN(2) == 0 {
		b.got = append(b.got, msgs...)
	}
	if away {
		return nil, errors.New("the broker is away")
	}
	return nil, nil
}

// replica is one process of the service: its engine, its relay and its users' requests.
type replica struct {
	*world
	store  *postgres.Store
	engine *domain.Engine
	relay  *outbox.Relay
	inbox  *inbox.Inbox
}

func (w *world) replica(b *broker, name string) *replica {
	w.t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	box := outbox.New(w.db.Gorm, quiet)
	r := &replica{world: w, store: postgres.New(w.db.Gorm, box), inbox: inbox.New(w.db.Gorm, "notification")}
	r.engine = domain.NewEngine(r.store, func() time.Time { return w.now }, quiet, prometheus.NewRegistry())
	var err error
	r.relay, err = outbox.NewRelay(outbox.RelayConfig{
		DB: w.db.Gorm, URL: w.db.AppURL, Outbox: box, Publisher: b, Log: quiet, Registerer: prometheus.NewRegistry(), Name: name,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// take handles the events as deliveries, in this order.
func (r *replica) take(ctx context.Context, reminders []domain.Reminder) error {
	for _, rem := range reminders {
		id := uuid.NewSHA1(uuid.Nil, fmt.Append(nil, rem.TaskID, rem.TaskVersion)).String()
		err := r.inbox.Once(ctx, id, func(tx *gorm.DB) error { _, err := r.store.Apply(ctx, tx, rem); return err })
		if err != nil {
			return err
		}
	}
	return nil
}

// deliverAll runs the engine until no reminder of the wanted number is left.
func (r *replica) deliverAll(ctx context.Context, want int) error {
	for {
		if _, err := r.engine.RunOnce(ctx); err != nil {
			return err
		}
		var sent int
		if err := r.db.Gorm.WithContext(ctx).Raw(`SELECT count(*) FROM reminders WHERE state = 'sent'`).Scan(&sent).Error; err != nil {
			return err
		}
		if _, waiting, err := r.store.NextDue(ctx); err != nil || sent == want && !waiting {
			return err
		}
	}
}

// useInbox reads and snoozes some notifications of a user, some of them twice.
func (r *replica) useInbox(ctx context.Context, user string, random *rand.Rand) error {
	for range 25 {
		list, err := r.store.List(ctx, domain.Filter{UserID: user}, domain.MaxLimit)
		if err != nil {
			return err
		}
		if len(list.Items) == 0 {
			continue
		}
		n := list.Items[random.IntN(len(list.Items))]
		if random.IntN(4) == 0 {
			_, err = r.store.Snooze(ctx, user, n.ID, r.now, r.now) // is due at once
		} else {
			_, err = r.store.MarkRead(ctx, user, n.ID, r.now)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Two replicas take the same events, deliver the same reminders and serve the same users, while their relays publish to a
// broker that is away now and then. Whatever the order, each inbox has the numbers 1 to n, and they are published in that order.
func TestTwoReplicasNumberAndPublishInOneOrder(t *testing.T) {
	t.Parallel()
	const perUser = 60
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	source := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, n)) }
	w := newWorld(t)
	w.now = noon.Add(time.Hour)
	users := []string{ada, bob, "0190a000-0000-7000-8000-0000000000cc"}
	w.save(users[2], domain.Preferences{}) // gets its notifications without a message
	var reminders []domain.Reminder
	for i := range perUser * len(users) {
		r := reminder(i, 1, i%30)
		r.UserID = users[i%len(users)]
		reminders = append(reminders, r)
	}
	b := &broker{random: source(0)}
	replicas := []*replica{w.replica(b, "relay 1"), w.replica(b, "relay 2")}
	relays, stop := context.WithCancel(t.Context())
	var running, group errgroup.Group
	for i, r := range replicas {
		running.Go(func() error { return r.relay.Run(relays) })
		group.Go(func() error {
			mine := append([]domain.Reminder(nil), reminders...)
			source(uint64(10+i)).Shuffle(len(mine), func(a, b int) { mine[a], mine[b] = mine[b], mine[a] })
			return r.take(t.Context(), mine)
		})
		group.Go(func() error { return r.deliverAll(t.Context(), len(reminders)) })
		for u, user := range users {
			group.Go(func() error { return r.useInbox(t.Context(), user, source(uint64(20+10*i+u))) })
		}
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	w.look() // the last snoozes
	for deadline := time.Now().Add(time.Minute); w.count("outbox") > 0 && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	if err := running.Wait(); err != nil {
		t.Fatal(err)
	}
	published := map[string][]int64{}
	for _, m := range b.got {
		seq := decoded(t, m.Data).NotificationSeq
		if !slices.Contains(published[m.Key], seq) { // else it is a repetition
			published[m.Key] = append(published[m.Key], seq)
		}
	}
	for _, user := range users {
		changes := w.wantConsistent(user)
		tasks, kind := map[string]bool{}, events.Added
		if user == users[2] {
			kind = events.Listed
		}
		for i, c := range changes {
			if tasks[c.TaskID] = true; c.EventType != kind && c.EventType != events.Read {
				t.Errorf("%s: change %d is %s", user, i+1, c.EventType)
			}
			if i >= len(published[user]) || published[user][i] != c.NotificationSeq {
				t.Fatalf("%s: published %v, want 1 to %d in order", user, published[user], len(changes))
			}
		}
		if len(tasks) != perUser {
			t.Errorf("%s: notifications of %d tasks, want %d", user, len(tasks), perUser)
		}
	}
}

// A reading and the end of a snooze lock the same two rows. In another order they could wait for each other.
func TestAReadingAndTheEndOfASnoozeDoNotDeadlock(t *testing.T) {
	t.Parallel()
	w := notified(t, 2)
	all := w.list(ada)
	if _, err := w.store.Snooze(t.Context(), ada, all[0].ID, w.now, w.now); err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 2)
	_, err := w.store.Settle(t.Context(), w.now, 10, func(d domain.Due, p domain.Preferences) domain.Decision {
		for _, n := range all { // the snoozed one, whose row is claimed, and another
			go func() {
				_, err := newStore(w.db.Gorm).MarkRead(t.Context(), ada, n.ID, w.now)
				read <- err
			}()
		}
		w.waitForLock()
		return domain.Decide(d, p, w.now)
	})
	if err := errors.Join(err, <-read, <-read); err != nil {
		t.Errorf("Settle and MarkRead: %v", err)
	}
	w.wantConsistent(ada)
}
