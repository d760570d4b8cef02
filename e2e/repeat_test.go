package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/taskwire/taskwire/e2e/client"
	"github.com/taskwire/taskwire/pkg/events"
)

const (
	// importLines is five batches of the import, so the part is killed in the middle of them. It is not more than the
	// WebSocket service replays, so the open browser must see every change and gets no resync.
	importLines = 1_000
	// batchOperations is the largest batch that the API takes.
	batchOperations = 500
)

// killedForWrites are the processes in which a write has state while it runs.
var killedForWrites = []string{"task-api", "postgres"}

// TestAnImportInterruptedByAKillCanBeRepeated streams a file, kills the part in the middle, and then follows the
// documentation: it runs the same import again until it is done.
func TestAnImportInterruptedByAKillCanBeRepeated(t *testing.T) {
	disturbsShared(t)
	for _, part := range killedForWrites {
		t.Run(part, func(t *testing.T) {
			u := client.NewUser(t, shared.URL())
			page := client.OpenBrowser(t, u, 0)
			var lines []string
			for i := range importLines {
				lines = append(lines, fmt.Sprintf(`{"id":"src-%d","title":"line %d"}`, i, i))
			}
			before := restarts(t, part)
			reported := importAndKill(t, u, lines, part)
			if reported == 0 || reported >= importLines {
				t.Fatalf("%s was killed when %d of %d tasks were reported, want it killed in the middle", part, reported, importLines)
			}
			var last importReport
			client.Eventually(t, client.RecoveryTimeout, "the repeated import is done", func() (err error) {
				last, err = importWhole(u, lines)
				return err
			})
			if last.Created+last.Present != importLines || last.Present < reported || last.Refused != 0 {
				t.Errorf("repeated: got %+v, want %d tasks, of which at least %d were there before", last, importLines, reported)
			}
			if after := restarts(t, part); after == before {
				t.Errorf("%s was not restarted: the test proves nothing", part)
			}
			wantOnce(t, u, page, titles("line %d", importLines))
		})
	}
}

// importReport holds the fields of a report line that the test reads.
type importReport struct {
	Type                               string
	Reason                             string
	Created, Present, Refused, Skipped int
}

func importRequest(u *client.User, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodPost, u.Base+"/api/v1/import?format=jsonl", body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+u.Token)
	return (&http.Client{Timeout: client.RecoveryTimeout}).Do(req)
}

// importAndKill sends half of the lines, kills the part once the first tasks are reported as created, and sends the other
// half. It returns how many tasks were reported as created.
func importAndKill(t *testing.T, u *client.User, lines []string, part string) (reported int) {
	t.Helper()
	body, send := io.Pipe()
	killed := make(chan struct{})
	go func() {
		half := len(lines) / 2
		_, _ = io.WriteString(send, strings.Join(lines[:half], "\n")+"\n") // fails if the server is gone
		<-killed
		_, _ = io.WriteString(send, strings.Join(lines[half:], "\n")+"\n")
		_ = send.Close()
	}()
	defer func() { _ = body.Close() }()
	resp, err := importRequest(u, body)
	if err != nil {
		close(killed)
		t.Fatalf("import: %v", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		close(killed)
		t.Fatalf("import: status %d", resp.StatusCode)
	}
	done := false
	for in := bufio.NewScanner(resp.Body); in.Scan(); {
		var r importReport
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			break // the answer was cut off
		}
		reported = max(reported, r.Created)
		if !done && reported > 0 {
			done = true
			if err := shared.Kill(part, syscall.SIGKILL); err != nil {
				t.Errorf("kill -9 %s: %v", part, err)
			}
			close(killed)
		}
		if r.Type == "done" {
			t.Errorf("the import was done although %s was killed: %+v", part, r)
		}
	}
	if !done {
		close(killed)
	}
	return reported
}

// importWhole imports the lines. It returns an error unless the report ends with done.
func importWhole(u *client.User, lines []string) (last importReport, err error) {
	resp, err := importRequest(u, strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		return last, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		raw, _ := io.ReadAll(resp.Body)
		return last, fmt.Errorf("import: status %d: %s", resp.StatusCode, raw)
	}
	for in := bufio.NewScanner(resp.Body); in.Scan(); {
		if err := json.Unmarshal(in.Bytes(), &last); err != nil {
			return last, fmt.Errorf("import: %w: %s", err, in.Bytes())
		}
	}
	if last.Type != "done" {
		return last, fmt.Errorf("import: the report ends with %+v", last)
	}
	return last, nil
}

// TestABatchInterruptedByAKillIsAppliedOnce blocks a batch in the middle of its transaction, kills the part, and repeats
// the batch with its Idempotency-Key until it is answered.
func TestABatchInterruptedByAKillIsAppliedOnce(t *testing.T) {
	disturbsShared(t)
	for _, part := range killedForWrites {
		for _, atomic := range []bool{false, true} {
			// The transaction inserts into idempotency_keys after the tasks and before the events. It sends the insert into
			// outbox together with COMMIT, so Postgres commits even if the task API is killed while it waits.
			for _, table := range []string{"idempotency_keys", "outbox"} {
				t.Run(fmt.Sprintf("%s, atomic %v, at %s", part, atomic, table), func(t *testing.T) {
					u := client.NewUser(t, shared.URL())
					page := client.OpenBrowser(t, u, 0)
					before := restarts(t, part)
					first, second := newBatch("first", atomic), newBatch("second", atomic)
					answered := first.send(t, u)
					interrupted := killInBatch(t, u, second, part, table)
					repeated := second.send(t, u)
					if interrupted != nil && !bytes.Equal(interrupted, repeated) {
						t.Errorf("the batch during which %s was killed: got another answer, %.200s, want %.200s", part, repeated, interrupted)
					}
					if again := first.send(t, u); !bytes.Equal(again, answered) {
						t.Errorf("the batch that was answered before %s was killed: got another answer, %.200s, want %.200s", part, again, answered)
					}
					if again := second.send(t, u); !bytes.Equal(again, repeated) {
						t.Errorf("the batch during which %s was killed: got another answer the third time, %.200s, want %.200s", part, again, repeated)
					}
					if after := restarts(t, part); after == before {
						t.Errorf("%s was not restarted: the test proves nothing", part)
					}
					wantOnce(t, u, page, append(titles("first %d", batchOperations), titles("second %d", batchOperations)...))
				})
			}
		}
	}
}

// batch is a batch request with its Idempotency-Key.
type batch struct {
	body map[string]any
	key  map[string]string
}

func newBatch(name string, atomic bool) batch {
	ops := make([]map[string]any, batchOperations)
	for i := range ops {
		ops[i] = map[string]any{"op": "create", "task": map[string]any{"title": fmt.Sprintf("%s %d", name, i)}}
	}
	return batch{map[string]any{"atomic": atomic, "operations": ops}, map[string]string{"Idempotency-Key": uuid.NewString()}}
}

const batchPath = "/api/v1/tasks:batch"

// send repeats the batch until it is answered, and expects a created task from every operation.
func (b batch) send(t *testing.T, u *client.User) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), client.RecoveryTimeout)
	defer cancel()
	raw, err := u.Insist(ctx, http.MethodPost, batchPath, b.body, b.key)
	if err != nil {
		t.Fatalf("batch: %v", err)
	}
	var answer struct {
		Results []struct {
			Status int
			Task   events.TaskData
		}
	}
	if err := json.Unmarshal(raw, &answer); err != nil || len(answer.Results) != batchOperations {
		t.Fatalf("batch: got %d results, %v, want %d", len(answer.Results), err, batchOperations)
	}
	for i, r := range answer.Results {
		if r.Status != http.StatusCreated || r.Task.ID == "" {
			t.Fatalf("batch: operation %d: got %+v, want a task", i, r)
		}
	}
	return raw
}

// killInBatch locks the table, waits until the batch is blocked by the lock, kills the part, and releases the lock. It returns the
// answer to the batch if that is 2xx, which it can be only for Postgres: its processes notice the death of their parent one after
// the other, so the end of the lock can let the batch commit before its own process ends.
func killInBatch(t *testing.T, u *client.User, b batch, part, table string) (answered []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	holder, err := pgx.Connect(ctx, shared.PostgresURL("tasks"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Close(context.WithoutCancel(ctx)) }() // fails if Postgres was killed
	// SHARE blocks writes to the table and lets others read it.
	if _, err := holder.Exec(ctx, "BEGIN; LOCK TABLE "+table+" IN SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan []byte, 1)
	go func() {
		status, raw, err := u.Do(http.MethodPost, batchPath, b.body, b.key)
		if err != nil || status/100 != 2 {
			raw = nil
		}
		ended <- raw
	}()
	client.Eventually(t, 30*time.Second, "the batch waits for "+table, func() error {
		if _, err := holder.Exec(ctx, "SELECT pg_stat_clear_snapshot()"); err != nil { // a transaction sees its first snapshot of the activity until it clears it
			t.Fatal(err)
		}
		var waiting int
		const sql = `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'task-api' AND wait_event_type = 'Lock' AND query LIKE '%INSERT INTO ' || $1 || ' %'`
		if err := holder.QueryRow(ctx, sql, table).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
		if waiting == 0 {
			return errNothingYet
		}
		return nil
	})
	if err := shared.Kill(part, syscall.SIGKILL); err != nil {
		t.Fatalf("kill -9 %s: %v", part, err)
	}
	if answered = <-ended; answered != nil && part != "postgres" {
		t.Errorf("the batch during which %s was killed: got %.200s, want no 2xx", part, answered)
	}
	_, err = holder.Exec(ctx, "ROLLBACK")
	if err != nil && part != "postgres" {
		t.Fatal(err)
	}
	return answered
}

func titles(format string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(format, i)
	}
	return all
}

// wantOnce fails the test unless the user has exactly the tasks with these titles, and each of them is in the audit log
// and in the open browser once.
func wantOnce(t *testing.T, u *client.User, page *client.Browser, want []string) {
	t.Helper()
	tasks, head, err := u.Sync(0)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	h := client.NewHistory()
	for _, task := range tasks {
		got[task.Title]++
		h.Answered(task.ID, 1)
	}
	wrong := 0
	for _, title := range want {
		if got[title] == 1 {
			continue
		}
		if wrong++; wrong <= 3 { // three examples are enough
			t.Errorf("task %q: got %d, want 1", title, got[title])
		}
	}
	if wrong > 0 || len(tasks) != len(want) || head != int64(len(want)) {
		t.Errorf("got %d tasks and the head %d, want %d of both; %d titles are missing or twice", len(tasks), head, len(want), wrong)
	}
	client.Eventually(t, client.RecoveryTimeout, "each created event is in the audit log once", func() error {
		entries, err := u.Audit("/api/v1/audit")
		if err != nil {
			return err
		}
		return h.CheckAudit(entries, head)
	})
	client.Eventually(t, client.RecoveryTimeout, "the open browser saw each change once", func() error { return page.SawAll(0, head) })
}
