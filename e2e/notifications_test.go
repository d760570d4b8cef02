package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/taskwire/taskwire/e2e/client"
	"github.com/taskwire/taskwire/local/stack"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// This file tests that notifications keep the promise of tasks: each is in the inbox once, and on every socket once and in order.

const (
	// disturbedReminders fall due while parts are away.
	disturbedReminders = 200
	// firstReminder is ahead of the creation of the last task.
	firstReminder = 3 * time.Second
	// reminderSpread is the time in which the reminders fall due: each part is away for some of it.
	reminderSpread = 16 * time.Second
	// disturbEvery is the time between two disturbances; all of them are within reminderSpread.
	disturbEvery = 3 * time.Second
	// stoppedFor is how long a part is stopped. It is below disturbEvery, so only one part is away at a time.
	stoppedFor = 2 * time.Second
)

// stoppedAtWelcome is longer than the 4 s after which a page is welcomed without its notifications (ADR 0026).
const stoppedAtWelcome = 6 * time.Second

// notificationPath is every part that a notification passes.
var notificationPath = []string{
	apps.WebSocket, stack.Sidecar(apps.WebSocket), apps.Notification, stack.Sidecar(apps.Notification), stack.Broker,
}

// TestEveryReminderReachesEverySocketOnce kills each part that a notification passes while 200 reminders fall due, and then
// stops each part for some seconds instead.
func TestEveryReminderReachesEverySocketOnce(t *testing.T) {
	disturbsShared(t)
	needsOwnBroker(t, "they would be killed")
	for name, disturb := range map[string]func(t *testing.T, part string){"killed": killPart, "stopped": stopPart} {
		t.Run(name, func(t *testing.T) {
			u := client.NewUser(t, shared.URL())
			pages := []*client.Browser{client.OpenBrowser(t, u, 0), client.OpenBrowserAt(t, u, 0, 0)}
			first := time.Now().Add(firstReminder)
			created := createReminders(t, u, disturbedReminders, first, reminderSpread)
			for i, part := range notificationPath {
				time.Sleep(time.Until(first.Add(time.Duration(i) * disturbEvery))) // the reminders fall due by the clock
				disturb(t, part)
			}
			var inbox []client.Notification
			client.Eventually(t, client.RecoveryTimeout, "each reminder is in the inbox once", func() (err error) {
				inbox, err = u.Notifications()
				if err != nil {
					return err
				}
				return onceEach(inbox, created)
			})
			pages = append(pages, client.OpenBrowserAt(t, u, 0, 0)) // this one gets all of them from the history
			for i, page := range pages {
				client.Eventually(t, client.RecoveryTimeout, fmt.Sprintf("socket %d showed each notification once and in order", i),
					func() error { return page.SawInbox(inbox) })
			}
		})
	}
}

// replicaGroup is the consumer group of the one replica of the WebSocket service (dapr-components/kafka-fanout.yaml).
const replicaGroup = "ws-websocket-0"

// TestANewConsumerGroupLosesNothing removes the replica's group while its sidecar is away, and lets reminders fall due. A new
// group begins with the newest record, so none of them is ever delivered. After them nothing happens that could show the loss.
func TestANewConsumerGroupLosesNothing(t *testing.T) {
	disturbsShared(t)
	ctx, cancel := context.WithTimeout(t.Context(), client.RecoveryTimeout)
	defer cancel()
	admin := kadm.NewClient(kafkaClient(t, shared))
	published := func() (n int64) {
		ends, err := admin.ListEndOffsets(ctx, events.TopicNotifications)
		must(t, err)
		ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
		return n
	}
	const reminders = 6
	u := client.NewUser(t, shared.URL())
	page := client.OpenBrowser(t, u, 0)

	sidecar := stack.Sidecar(apps.WebSocket)
	must(t, shared.Stop(sidecar))
	defer func() { must(t, shared.Start(sidecar)) }() // if the test fails before
	client.Eventually(t, client.RecoveryTimeout, "the group is removed, which needs that it has no member", func() error {
		_, err := admin.DeleteGroup(ctx, replicaGroup)
		if errors.Is(err, kerr.GroupIDNotFound) {
			return nil
		}
		return err
	})
	before := published()
	created := createReminders(t, u, reminders, time.Now(), 0)
	client.Eventually(t, client.RecoveryTimeout, "the notifications are published", func() error {
		if n := published() - before; n < reminders {
			return fmt.Errorf("%d of %d", n, reminders)
		}
		return nil
	})
	must(t, shared.Start(sidecar))
	inbox, err := u.Notifications()
	must(t, err)
	must(t, onceEach(inbox, created))
	client.Eventually(t, client.RecoveryTimeout, "the socket showed each once", func() error { return page.SawInbox(inbox) })
}

// longStops are longer than the session of a member of a consumer group. Kafka then takes the partitions from the sidecar, and a
// group that has committed no offset begins with the newest record when the sidecar is back. The longer stop also outlasts the
// deadlines of the deliveries that were under way.
var longStops = []time.Duration{12 * time.Second, 40 * time.Second}

// TestNotificationsOutlastALongStopOfTheSidecar lets reminders fall due while the sidecar hangs. After them nothing happens that
// could show the loss.
func TestNotificationsOutlastALongStopOfTheSidecar(t *testing.T) {
	disturbsShared(t)
	u := client.NewUser(t, shared.URL())
	page := client.OpenBrowser(t, u, 0)
	created := map[string]bool{}
	for _, stop := range longStops {
		maps.Copy(created, createReminders(t, u, 6, time.Now().Add(time.Second), 600*time.Millisecond))
		must(t, shared.Kill(stack.Sidecar(apps.WebSocket), syscall.SIGSTOP))
		time.Sleep(stop) // the duration is what is tested
		must(t, shared.Kill(stack.Sidecar(apps.WebSocket), syscall.SIGCONT))
		var inbox []client.Notification
		client.Eventually(t, client.RecoveryTimeout, "each reminder is in the inbox once", func() (err error) {
			if inbox, err = u.Notifications(); err != nil {
				return err
			}
			return onceEach(inbox, created)
		})
		client.Eventually(t, client.RecoveryTimeout, fmt.Sprintf("after a stop of %s the socket showed each once", stop), func() error { return page.SawInbox(inbox) })
	}
}

// TestAPageOpensWhileTheInboxHangs stops the notification service for longer than a page waits for its welcome. The page is
// welcomed without its notifications, is told later where they begin, and then misses none.
func TestAPageOpensWhileTheInboxHangs(t *testing.T) {
	disturbsShared(t)
	u := client.NewUser(t, shared.URL())
	must(t, shared.Kill(apps.Notification, syscall.SIGSTOP))
	resume := time.AfterFunc(stoppedAtWelcome, func() { _ = shared.Kill(apps.Notification, syscall.SIGCONT) })
	defer func() {
		if resume.Stop() {
			must(t, shared.Kill(apps.Notification, syscall.SIGCONT))
		}
	}()
	page := client.OpenBrowser(t, u, 0)
	created := createReminders(t, u, 3, time.Now(), time.Second)
	var inbox []client.Notification
	client.Eventually(t, client.RecoveryTimeout, "each reminder is in the inbox once", func() (err error) {
		if inbox, err = u.Notifications(); err != nil {
			return err
		}
		return onceEach(inbox, created)
	})
	client.Eventually(t, client.RecoveryTimeout, "the socket showed each once", func() error { return page.SawInbox(inbox) })
}

// killPart kills a part, which the supervisor restarts.
func killPart(t *testing.T, part string) {
	t.Helper()
	before := restarts(t, part)
	must(t, shared.Kill(part, syscall.SIGKILL))
	client.Eventually(t, client.RecoveryTimeout, part+" is restarted", func() error {
		if restarts(t, part) == before {
			return errNothingYet
		}
		return nil
	})
}

// stopPart stops a part for stoppedFor, as a machine that swaps or a debugger does. Its connections stay open.
func stopPart(t *testing.T, part string) {
	t.Helper()
	must(t, shared.Kill(part, syscall.SIGSTOP))
	time.Sleep(stoppedFor) // the duration is what is tested
	must(t, shared.Kill(part, syscall.SIGCONT))
}

// createReminders creates n tasks whose reminders fall due at even distances from first on, and returns their ids.
func createReminders(t *testing.T, u *client.User, n int, first time.Time, spread time.Duration) map[string]bool {
	t.Helper()
	operations := make([]map[string]any, n)
	for i := range operations {
		at := first.Add(spread * time.Duration(i) / time.Duration(n)).UTC().Format(time.RFC3339Nano)
		operations[i] = map[string]any{"op": "create", "task": map[string]any{
			"title": fmt.Sprint("reminder ", i), "due_at": first.Add(24 * time.Hour).UTC().Format(time.RFC3339), "remind_at": at,
		}}
	}
	var answer struct {
		Results []struct {
			Status int             `json:"status"`
			Task   events.TaskData `json:"task"`
		} `json:"results"`
	}
	u.Must(http.MethodPost, "/api/v1/tasks:batch", map[string]any{"operations": operations}, http.StatusOK, &answer)
	created := map[string]bool{}
	for i, r := range answer.Results {
		if r.Status != http.StatusCreated {
			t.Fatalf("operation %d: status %d, want 201", i, r.Status)
		}
		created[r.Task.ID] = true
	}
	if len(created) != n {
		t.Fatalf("created %d tasks, want %d", len(created), n)
	}
	return created
}

// onceEach returns an error unless the inbox has one notification of each task, and no other one.
func onceEach(inbox []client.Notification, tasks map[string]bool) error {
	seen := map[string]bool{}
	for _, n := range inbox {
		if !tasks[n.TaskID] || seen[n.TaskID] {
			return fmt.Errorf("notification %s of task %s is twice in the inbox, or not of this test", n.ID, n.TaskID)
		}
		seen[n.TaskID] = true
	}
	if len(seen) != len(tasks) {
		return fmt.Errorf("%d of %d reminders are in the inbox", len(seen), len(tasks))
	}
	return nil
}

// TestANotificationOfAClosedPageIsShownLater closes the page before the reminder is due.
func TestANotificationOfAClosedPageIsShownLater(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	page := client.OpenBrowser(t, u, 0)
	created := createReminders(t, u, 1, time.Now().Add(2*time.Second), 0)
	page.Close()
	var inbox []client.Notification
	client.Eventually(t, time.Minute, "the reminder is in the inbox", func() (err error) {
		if inbox, err = u.Notifications(); err != nil {
			return err
		}
		return onceEach(inbox, created)
	})
	again := client.OpenBrowserAt(t, u, 0, 0)
	client.Eventually(t, time.Minute, "the new page shows the task and the notification", func() error {
		if err := again.SawAll(0, 1); err != nil {
			return err
		}
		return again.SawInbox(inbox)
	})
}
