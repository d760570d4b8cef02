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
	// importLines are five batches of the import, so that it is in the middle of them when the part dies, and no more
	// than the WebSocket service replays: the open browser then has to see them all, and is not told to resync.
	importLines = 1_000
	// batchOperations is the most that a batch takes.
	batchOperations = 500
)

// killedForWrites are the processes that a write goes through and that keep something of it.
var killedForWrites = []string{"task-api", "postgres"}

// TestAnImportInWhichAPartIsKilledIsRepeatedAsItIs streams a file, kills the part while the file is on its way, and then
// does what the documents say: the same import again, until it is done.
func TestAnImportInWhichAPartIsKilledIsRepeatedAsItIs(t *testing.T) {
	for _, part := range killedForWrites {
		t.Run(part, func(t *testing.T) {
			u := client.NewUser(t, shared.URL())
			page := client.OpenBrowser(t, u, 0)
			var lines []string
			for i := range importLines {
				lines = append(lines, fmt.Sprintf(`{"id":"src-%d","title":"line %d"}`, i, i))
			}
			before := restarts(t, part)
			told := importAndKill(t, u, lines, part)
			if told == 0 || told >= importLines {
				t.Fatalf("%s died with %d of %d tasks told, want it to die in the middle", part, told, importLines)
			}
			var last importReport
			client.Eventually(t, client.RecoveryTimeout, "the repeated import is done", func() (err error) {
				last, err = importWhole(u, lines)
				return err
			})
			if last.Created+last.Present != importLines || last.Present < told || last.Refused != 0 {
				t.Errorf("repeated: got %+v, want %d tasks, %d or more of them there before", last, importLines, told)
			}
			if after := restarts(t, part); after == before {
				t.Errorf("%s was not restarted: nothing was tested", part)
			}
			wantOnce(t, u, page, titles("line %d", importLines))
		})
	}
}

// importReport is what the test reads of a line of the report.
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

// importAndKill sends half of the lines, kills the part when the first of them are told to be made, and goes on sending
// into whatever is left. It returns how many tasks were told to be made.
func importAndKill(t *testing.T, u *client.User, lines []string, part string) (told int) {
	t.Helper()
	body, send := io.Pipe()
	killed := make(chan struct{})
	go func() {
		half := len(lines) / 2
		_, _ = io.WriteString(send, strings.Join(lines[:half], "\n")+"\n") // the server may be gone
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
			break // cut
		}
		told = max(told, r.Created)
		if !done && told > 0 {
			done = true
			if err := shared.Kill(part, syscall.SIGKILL); err != nil {
				t.Errorf("kill -9 %s: %v", part, err)
			}
			close(killed)
		}
		if r.Type == "done" {
			t.Errorf("the import ended as if %s had not died: %+v", part, r)
		}
	}
	if !done {
		close(killed)
	}
	return told
}

// importWhole imports the lines and wants the report to end with done.
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

// TestABatchInWhichAPartIsKilledIsDoneOnce holds a batch up at a point of its transaction, kills the part, and repeats
// the batch with its Idempotency-Key until it is answered.
func TestABatchInWhichAPartIsKilledIsDoneOnce(t *testing.T) {
	for _, part := range killedForWrites {
		for _, atomic := range []bool{false, true} {
			// The insert into the first table is after the tasks and before the events; the one into the second is sent
			// with the COMMIT behind it, so that a server whose client has died still commits.
			for _, table := range []string{"idempotency_keys", "outbox"} {
				t.Run(fmt.Sprintf("%s, atomic %v, at %s", part, atomic, table), func(t *testing.T) {
					u := client.NewUser(t, shared.URL())
					page := client.OpenBrowser(t, u, 0)
					before := restarts(t, part)
					first, second := newBatch("first", atomic), newBatch("second", atomic)
					answered := first.send(t, u)
					killInBatch(t, u, second, part, table)
					repeated := second.send(t, u)
					if again := first.send(t, u); !bytes.Equal(again, answered) {
						t.Errorf("the batch that was answered before %s died: got another answer, %.200s, want %.200s", part, again, answered)
					}
					if again := second.send(t, u); !bytes.Equal(again, repeated) {
						t.Errorf("the batch in which %s died: got another answer the third time, %.200s, want %.200s", part, again, repeated)
					}
					if after := restarts(t, part); after == before {
						t.Errorf("%s was not restarted: nothing was tested", part)
					}
					wantOnce(t, u, page, append(titles("first %d", batchOperations), titles("second %d", batchOperations)...))
				})
			}
		}
	}
}

// batch is a request that a client repeats until it is answered.
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

// send repeats the batch until it is answered and wants every operation to have made its task.
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

// killInBatch lets the batch come as far as the table, kills the part, and lets go.
func killInBatch(t *testing.T, u *client.User, b batch, part, table string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	holder, err := pgx.Connect(ctx, shared.PostgresURL("tasks"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Close(context.WithoutCancel(ctx)) }() // where Postgres was killed it is closed already
	// SHARE lets the table be read and not written.
	if _, err := holder.Exec(ctx, "BEGIN; LOCK TABLE "+table+" IN SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		status, raw, err := u.Do(http.MethodPost, batchPath, b.body, b.key)
		if err == nil && status/100 == 2 {
			err = fmt.Errorf("answered %d %.200s", status, raw)
		} else {
			err = nil
		}
		ended <- err
	}()
	client.Eventually(t, 30*time.Second, "the batch waits for "+table, func() error {
		if _, err := holder.Exec(ctx, "SELECT pg_stat_clear_snapshot()"); err != nil { // a transaction sees the same activity until it asks anew
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
	if err := <-ended; err != nil {
		t.Errorf("the batch in which %s was killed: %v, want no 2xx", part, err)
	}
	_, err = holder.Exec(ctx, "ROLLBACK")
	if err != nil && part != "postgres" {
		t.Fatal(err)
	}
}

func titles(format string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(format, i)
	}
	return all
}

// wantOnce wants the user to have exactly the tasks with these titles, and each in the audit log and the open browser
// once.
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
		if wrong++; wrong <= 3 { // they say all there is to say
			t.Errorf("task %q: got %d, want 1", title, got[title])
		}
	}
	if wrong > 0 || len(tasks) != len(want) || head != int64(len(want)) {
		t.Errorf("got %d tasks and the head %d, want %d of both; %d titles are missing or there twice", len(tasks), head, len(want), wrong)
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
