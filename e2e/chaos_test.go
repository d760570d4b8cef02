package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/cmd/taskwire/stack"
	"github.com/taskwire/taskwire/pkg/events"
	"golang.org/x/sync/errgroup"
)

const (
	// chaosWrites is how many writes one round makes; the part dies when half of them are answered.
	chaosWrites = 200
	// chaosWriters write at the same time, for one user, so that a per-user order exists to be broken.
	chaosWriters = 4
	// recoveryTimeout bounds how long everything may take to arrive after the last write was answered: a restart of
	// the part, a rebalance of its consumer group and an opened circuit breaker, on two busy cores.
	recoveryTimeout = 3 * time.Minute
)

// TestNothingIsLostWhenAPartIsKilled kills each part in turn with SIGKILL in the middle of 200 writes and then holds
// the whole system to its promise.
func TestNothingIsLostWhenAPartIsKilled(t *testing.T) {
	for _, part := range []string{
		"task-api", "task-api-daprd", "audit", "audit-daprd", "recurring-task", "recurring-task-daprd",
		"notification", "websocket", "websocket-daprd", "broker", "postgres",
	} {
		t.Run(part, func(t *testing.T) {
			if part == stack.Broker {
				needsOwnBroker(t, "it would be killed")
			}
			u := newUser(t, shared.URL())
			page := openBrowser(t, u, 0)
			before := restarts(t, part)
			h := writeWhileKilling(t, u, part, func() error { return shared.Kill(part, syscall.SIGKILL) })
			h.check(t, u, page)
			if after := restarts(t, part); after == before {
				t.Errorf("%s was not restarted: nothing was tested", part)
			}
		})
	}
}

// restarts is how often the supervisor has started a part again.
func restarts(t *testing.T, part string) int {
	t.Helper()
	for _, p := range shared.Status() {
		if p.Name == part {
			return p.Restarts
		}
	}
	t.Fatalf("there is no part %q", part)
	return 0
}

// history is what the writers were told: every version that was answered 2xx, and the recurring tasks they completed.
type history struct {
	mu        sync.Mutex
	answered  map[string]map[int64]bool // task id → versions answered
	completed []events.TaskData         // recurring occurrences that were completed
	writes    int
	killed    bool
}

func (h *history) note(raw json.RawMessage, kill func()) (events.TaskData, error) {
	var task events.TaskData
	if err := json.Unmarshal(raw, &task); err != nil {
		return task, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.answered[task.ID] == nil {
		h.answered[task.ID] = map[int64]bool{}
	}
	h.answered[task.ID][task.Version] = true
	h.writes++
	if h.writes >= chaosWrites/2 && !h.killed {
		h.killed = true
		kill()
	}
	return task, nil
}

// writeWhileKilling makes chaosWrites writes, a fifth of them completions of recurring tasks, and kills the part when
// half are answered. A writer repeats a request until it is answered 2xx, with an Idempotency-Key on creates.
func writeWhileKilling(t *testing.T, u *user, part string, killPart func() error) *history {
	t.Helper()
	h := &history{answered: map[string]map[int64]bool{}}
	kill := func() {
		if err := killPart(); err != nil {
			t.Errorf("kill -9 %s: %v", part, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), recoveryTimeout)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	for w := range chaosWriters {
		group.Go(func() error {
			// Five writes a turn: a plain task, its title, its end; a recurring task and its completion.
			for turn := range chaosWrites / chaosWriters / 5 {
				if err := chaosTurn(ctx, u, h, kill, fmt.Sprintf("%s %d.%d", part, w, turn)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatalf("write while %s dies: %v", part, err)
	}
	if !h.killed {
		t.Fatalf("%s was never killed", part)
	}
	return h
}

func chaosTurn(ctx context.Context, u *user, h *history, kill func(), name string) error {
	write := func(method, path string, body map[string]any) (events.TaskData, error) {
		var headers map[string]string
		if method == http.MethodPost && path == "/api/v1/tasks" {
			headers = map[string]string{"Idempotency-Key": uuid.NewString()}
		}
		raw, err := u.insist(ctx, method, path, body, headers)
		if err != nil {
			return events.TaskData{}, err
		}
		return h.note(raw, kill)
	}
	plain, err := write(http.MethodPost, "/api/v1/tasks", map[string]any{"title": name})
	if err != nil {
		return err
	}
	if _, err := write(http.MethodPatch, "/api/v1/tasks/"+plain.ID, map[string]any{"title": name + ", renamed"}); err != nil {
		return err
	}
	if _, err := write(http.MethodPost, "/api/v1/tasks/"+plain.ID+"/complete", nil); err != nil {
		return err
	}
	recurring, err := write(http.MethodPost, "/api/v1/tasks", map[string]any{
		"title": name + ", daily", "due_date": "2030-01-01", "recurrence": map[string]any{"rrule": "FREQ=DAILY"},
	})
	if err != nil {
		return err
	}
	done, err := write(http.MethodPost, "/api/v1/tasks/"+recurring.ID+"/complete", nil)
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.completed = append(h.completed, done)
	h.mu.Unlock()
	return nil
}

// check holds the system to the promise: one successor for each completion, then the audit log and the open browser
// have every seq of the user exactly once and in order.
func (h *history) check(t *testing.T, u *user, page *browser) {
	t.Helper()
	eventually(t, recoveryTimeout, "one successor for each completed occurrence", func() error { return h.checkSuccessors(u) })
	var head int64
	eventually(t, recoveryTimeout, "the audit log is complete", func() error {
		var err error
		if head, err = u.head(); err != nil {
			return err
		}
		entries, err := u.audit("/api/v1/audit")
		if err != nil {
			return err
		}
		return h.checkAudit(entries, head)
	})
	eventually(t, recoveryTimeout, "the open browser saw everything", func() error { return page.sawAll(0, head) })
}

func (h *history) checkAudit(entries []auditEntry, head int64) error {
	ids := map[string]bool{}
	versions := map[string]int64{}
	seqs := map[int64]bool{}
	for _, e := range entries {
		if ids[e.EventID] {
			return fmt.Errorf("event %s is in the audit log twice", e.EventID)
		}
		ids[e.EventID] = true
		if e.TaskVersion != versions[e.TaskID]+1 {
			return fmt.Errorf("task %s: version %d follows %d in the audit log", e.TaskID, e.TaskVersion, versions[e.TaskID])
		}
		versions[e.TaskID] = e.TaskVersion
		seqs[e.Seq] = true
	}
	for task, answered := range h.answered {
		for v := range answered {
			if v > versions[task] {
				return fmt.Errorf("task %s: version %d was answered 2xx but the audit log ends at %d", task, v, versions[task])
			}
		}
	}
	if int64(len(entries)) != head || int64(len(seqs)) != head {
		return fmt.Errorf("audit log has %d entries with %d different seqs, the user's head is %d", len(entries), len(seqs), head)
	}
	return nil
}

func (h *history) checkSuccessors(u *user) error {
	tasks, _, err := u.sync(0)
	if err != nil {
		return err
	}
	bySeries := map[string][]int{}
	for _, task := range tasks {
		if task.SeriesID != "" {
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

// sync returns every task changed after since, and the seq to go on from.
func (u *user) sync(since int64) (tasks []events.TaskData, next int64, err error) {
	for next = since; ; {
		status, raw, err := u.do(http.MethodGet, fmt.Sprintf("/api/v1/sync?since=%d&limit=200", next), nil, nil)
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

// head is the user's newest seq.
func (u *user) head() (int64, error) {
	_, next, err := u.sync(0)
	return next, err
}
