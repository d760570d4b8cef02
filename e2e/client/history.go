package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"golang.org/x/sync/errgroup"
)

const (
	// writers is how many writers write concurrently as one user, so that the order of a user can break.
	writers = 4
	// RecoveryTimeout bounds how long everything may take to arrive after the last write was answered: a restart of
	// the part, a rebalance of its consumer group and an opened circuit breaker, on two busy cores.
	RecoveryTimeout = 3 * time.Minute
)

// History records what the API answered to the writers: each version that was answered 2xx, the recurring tasks that
// were completed, and the reminders that were set.
type History struct {
	mu        sync.Mutex
	answered  map[string]map[int64]bool // task id → versions answered
	completed []events.TaskData         // recurring occurrences that were completed
	reminders []reminder
	writes    int
	more      bool
	step      func(answered int) bool
}

// NewHistory returns an empty history.
func NewHistory() *History { return &History{answered: map[string]map[int64]bool{}} }

// Answered records that a version of a task was answered 2xx.
func (h *History) Answered(taskID string, version int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.answered[taskID] == nil {
		h.answered[taskID] = map[int64]bool{}
	}
	h.answered[taskID][version] = true
}

// Writes returns how many writes were answered.
func (h *History) Writes() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.writes
}

// Write writes as u until step returns false. step is called after each answer with the number of answers so far.
// Each writer makes turns of eight writes and pauses between two turns: a task with a reminder far ahead, its new title,
// its completion, which cancels the reminder; a recurring task, its completion, its reopening, which withdraws a successor
// that exists by then, and its completion again; a task whose reminder falls due during the test. A writer repeats a request until it is answered 2xx, and sends an Idempotency-Key with each create.
func Write(ctx context.Context, u *User, name string, pause time.Duration, step func(answered int) bool) (*History, error) {
	h := NewHistory()
	h.more, h.step = true, step
	group, ctx := errgroup.WithContext(ctx)
	for w := range writers {
		group.Go(func() error {
			for turn := 0; h.continues(); turn++ {
				delay := reminderDelays[(w+turn)%len(reminderDelays)]
				if err := h.turn(ctx, u, fmt.Sprintf("%s %d.%d", name, w, turn), delay); err != nil {
					return err
				}
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(pause):
				}
			}
			return nil
		})
	}
	return h, group.Wait()
}

func (h *History) continues() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.more
}

// record records an answer.
func (h *History) record(raw json.RawMessage) (events.TaskData, error) {
	var task events.TaskData
	if err := json.Unmarshal(raw, &task); err != nil {
		return task, err
	}
	h.Answered(task.ID, task.Version)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writes++
	h.more = h.step(h.writes) && h.more
	return task, nil
}

// turn makes the eight writes of one turn. The last task's reminder falls due after delay.
func (h *History) turn(ctx context.Context, u *User, name string, delay time.Duration) error {
	write := func(method, path string, body map[string]any) (events.TaskData, error) {
		var headers map[string]string
		if method == http.MethodPost && path == "/api/v1/tasks" {
			headers = map[string]string{"Idempotency-Key": uuid.NewString()}
		}
		raw, err := u.Insist(ctx, method, path, body, headers)
		if err != nil {
			return events.TaskData{}, err
		}
		return h.record(raw)
	}
	plain, err := write(http.MethodPost, "/api/v1/tasks", map[string]any{"title": name, "due_date": reminderDue, "remind_at": remindAt(farReminder)})
	if err != nil {
		return err
	}
	renamed, err := write(http.MethodPatch, "/api/v1/tasks/"+plain.ID, map[string]any{"title": name + ", renamed"})
	if err != nil {
		return err
	}
	ended, err := write(http.MethodPost, "/api/v1/tasks/"+plain.ID+"/complete", nil)
	if err != nil {
		return err
	}
	h.addReminder(reminder{task: plain.ID, changes: []reminderChange{
		{events.Scheduled, plain.Title, plain.Version}, {events.Scheduled, renamed.Title, renamed.Version}, {events.Cancelled, ended.Title, ended.Version},
	}})
	recurring, err := write(http.MethodPost, "/api/v1/tasks", map[string]any{
		"title": name + ", daily", "due_date": "2030-01-01", "recurrence": map[string]any{"rrule": "FREQ=DAILY"},
	})
	if err != nil {
		return err
	}
	var done events.TaskData
	for _, change := range []string{"complete", "reopen", "complete"} {
		if done, err = write(http.MethodPost, "/api/v1/tasks/"+recurring.ID+"/"+change, nil); err != nil {
			return err
		}
	}
	h.mu.Lock()
	h.completed = append(h.completed, done)
	h.mu.Unlock()
	reminds, err := write(http.MethodPost, "/api/v1/tasks", map[string]any{"title": name + ", reminds", "due_date": reminderDue, "remind_at": remindAt(delay)})
	if err != nil {
		return err
	}
	h.addReminder(reminder{task: reminds.ID, due: true, changes: []reminderChange{{events.Scheduled, reminds.Title, reminds.Version}}})
	return nil
}

// Check fails the test unless the system keeps its promise: each due reminder is in the inbox and on each open browser
// exactly once and in order, each completed occurrence has one successor, and the audit log and each open browser have every
// seq of the user exactly once and in order.
func (h *History) Check(t testing.TB, u *User, pages ...*Browser) {
	t.Helper()
	h.checkReminders(t, u)
	Eventually(t, RecoveryTimeout, "one successor for each completed occurrence", func() error { return h.CheckSuccessors(u) })
	var head int64
	Eventually(t, RecoveryTimeout, "the audit log is complete", func() error {
		var err error
		if head, err = u.Head(); err != nil {
			return err
		}
		entries, err := u.Audit("/api/v1/audit")
		if err != nil {
			return err
		}
		return h.CheckAudit(entries, head)
	})
	for i, page := range pages {
		Eventually(t, RecoveryTimeout, fmt.Sprintf("open browser %d saw everything", i), func() error { return page.SawAll(0, head) })
	}
	// By now every redelivery has been taken, so a reminder that was delivered twice is in the inbox twice.
	if err := h.CheckInbox(u); err != nil {
		t.Errorf("after everything else has arrived: %v", err)
	}
	inbox, err := u.Notifications()
	if err != nil {
		t.Fatal(err)
	}
	for i, page := range pages {
		Eventually(t, RecoveryTimeout, fmt.Sprintf("open browser %d showed every notification", i), func() error { return page.SawInbox(inbox) })
	}
}

// CheckAudit compares the audit log of a user, whose newest seq is head, with what was answered: each event once, the
// versions of each task in their order and without a gap, nothing missing. The log is append-only, so an event that is there
// twice, and versions that are all there in another order, are Final: no later entry can mend them. A missing entry is not,
// because it may still come.
func (h *History) CheckAudit(entries []AuditEntry, head int64) error {
	ids := map[string]bool{}
	versions := map[string][]int64{} // of each task, in the order of the log
	seqs := map[int64]bool{}
	for _, e := range entries {
		if ids[e.EventID] {
			return Final(fmt.Errorf("event %s is in the audit log twice", e.EventID))
		}
		ids[e.EventID] = true
		versions[e.TaskID] = append(versions[e.TaskID], e.TaskVersion)
		seqs[e.Seq] = true
	}
	for task, got := range versions {
		if err := checkVersions(task, got); err != nil {
			return err
		}
	}
	for task, answered := range h.answered {
		for v := range answered {
			if last := int64(len(versions[task])); v > last {
				return fmt.Errorf("task %s: version %d was answered 2xx but the audit log ends at %d", task, v, last)
			}
		}
	}
	if int64(len(entries)) != head || int64(len(seqs)) != head {
		return fmt.Errorf("audit log has %d entries with %d different seqs, the user's head is %d", len(entries), len(seqs), head)
	}
	return nil
}

// checkVersions returns nil for the versions 1, 2, 3 and so on. It says whether one is missing, or all are there in another
// order.
func checkVersions(task string, got []int64) error {
	sorted := slices.Sorted(slices.Values(got))
	for i, v := range sorted {
		if want := int64(i) + 1; v > want {
			return fmt.Errorf("task %s: version %d is missing in the audit log, which has %d", task, want, got)
		} else if v < want {
			return Final(fmt.Errorf("task %s: version %d is in the audit log twice: %d", task, v, got))
		}
	}
	if !slices.Equal(got, sorted) {
		return Final(fmt.Errorf("task %s: all %d versions are in the audit log, but in another order: %d", task, len(got), got))
	}
	return nil
}

// CheckSuccessors returns an error unless each completed occurrence has exactly one successor, which is open.
func (h *History) CheckSuccessors(u *User) error {
	tasks, _, err := u.Sync(0)
	if err != nil {
		return err
	}
	bySeries := map[string][]int{}
	for _, task := range tasks {
		if task.SeriesID != "" && (task.OccurrenceNo == 1 || task.Status == events.StatusPending) { // a tombstone has no series
			bySeries[task.SeriesID] = append(bySeries[task.SeriesID], task.OccurrenceNo)
		}
	}
	for _, done := range h.completed {
		if got := bySeries[done.SeriesID]; len(got) != 2 {
			return fmt.Errorf("series %s has occurrences %v, want the first and its one successor", done.SeriesID, got)
		}
	}
	return nil
}

// Sync returns every task that changed after since, and the seq for the next call.
func (u *User) Sync(since int64) (tasks []events.TaskData, next int64, err error) {
	for next = since; ; {
		status, raw, err := u.Do(http.MethodGet, fmt.Sprintf("/api/v1/sync?since=%d&limit=200", next), nil, nil)
		if err != nil {
			return nil, 0, err
		}
		if status != http.StatusOK {
			return nil, 0, fmt.Errorf("GET /sync: status %d: %s", status, raw)
		}
		var page struct {
			Items     []events.TaskData `json:"items"`
			NextSince int64             `json:"next_since"`
			HasMore   bool              `json:"has_more"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return nil, 0, err
		}
		tasks, next = append(tasks, page.Items...), page.NextSince
		if !page.HasMore {
			return tasks, next, nil
		}
	}
}

// Head returns the user's newest seq.
func (u *User) Head() (int64, error) {
	_, next, err := u.Sync(0)
	return next, err
}
