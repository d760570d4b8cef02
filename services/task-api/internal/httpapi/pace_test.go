package httpapi

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/postgres"
	"github.com/taskwire/taskwire/testkit/pgtest"
)

// newPacedRig returns a rig whose imports must keep the pace p.
func newPacedRig(t *testing.T, p pace) *rig {
	t.Helper()
	db := pgtest.New(t, "tasks", pg.Set{Name: "tasks", FS: postgres.Migrations()}, pg.Set{Name: "outbox", FS: outbox.Migrations})
	return newRigOn(t, db, db.Gorm, 0, func(cfg *Config) { cfg.importPace = p })
}

// drip imports what send writes. The writer of send fails when the server stops reading.
func (c *client) drip(send func(w io.Writer) error) answer {
	c.t.Helper()
	body, w := io.Pipe()
	go func() { _ = w.CloseWithError(send(w)) }()
	defer body.Close()
	req, err := http.NewRequest("POST", c.server.URL+importPath+"?format=jsonl", body)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatalf("import: %v", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("import: %v after %s", err, raw)
	}
	return answer{resp.StatusCode, resp.Header, string(raw)}
}

// lines writes n tasks, with a pause before each.
func lines(w io.Writer, n int, pause time.Duration) error {
	for i := range n {
		time.Sleep(pause) // a slow client is the subject of the test
		if _, err := fmt.Fprintf(w, "{\"id\":\"src-%d\",\"title\":\"t\"}\n", i); err != nil {
			return err
		}
	}
	return nil
}

// forEver is more lines than any test here waits for.
const forEver = 1000

func TestAFileThatArrivesTooSlowlyIs408(t *testing.T) {
	for name, tc := range map[string]struct {
		pace pace
		send func(w io.Writer) error
		say  string
	}{
		"it stops": {pace{stall: 200 * time.Millisecond, rate: 1, total: time.Hour}, func(w io.Writer) error {
			if err := lines(w, 1, 0); err != nil {
				return err
			}
			time.Sleep(time.Minute) // longer than the test
			return nil
		}, "does not arrive fast enough"},
		"it is always below the rate": {pace{stall: 400 * time.Millisecond, rate: 1 << 20, total: time.Hour}, func(w io.Writer) error {
			return lines(w, forEver, 20*time.Millisecond)
		}, "does not arrive fast enough"},
		"it takes too long": {pace{stall: time.Hour, rate: 1, total: 400 * time.Millisecond}, func(w io.Writer) error {
			return lines(w, forEver, 20*time.Millisecond)
		}, "took longer than 400ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newPacedRig(t, tc.pace).user()
			a := c.drip(tc.send)
			reports := c.readReports(a.body)
			last := reports[len(reports)-1]
			if a.status != http.StatusOK || last.Type != "error" || !strings.Contains(last.Reason, tc.say) || last.Created == 0 {
				t.Errorf("got %d %s, want the tasks that arrived, and at the end an error with %q", a.status, a.body, tc.say)
			}
			if n := c.count(`SELECT count(*) FROM tasks`); n != int64(last.Created) {
				t.Errorf("tasks: got %d, want the %d of the report", n, last.Created)
			}
		})
	}
	t.Run("nothing arrives", func(t *testing.T) {
		t.Parallel()
		c := newPacedRig(t, pace{stall: 200 * time.Millisecond, rate: 1, total: time.Hour}).user()
		a := c.drip(func(w io.Writer) error {
			time.Sleep(time.Minute)
			return nil
		})
		var p struct{ Type string }
		if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.status != http.StatusRequestTimeout || p.Type != "urn:taskwire:problem:request-timeout" {
			t.Errorf("got %d %s, want 408 and its problem document", a.status, a.body)
		}
	})
}

// Sends slowly, but within the pace, with a margin for a busy machine.
func TestASlowFileWithinThePaceIsImported(t *testing.T) {
	t.Parallel()
	c := newPacedRig(t, pace{stall: 30 * time.Second, rate: 1, total: time.Minute}).user()
	a := c.drip(func(w io.Writer) error { return lines(w, 20, 20*time.Millisecond) })
	reports := c.readReports(a.body)
	if last := reports[len(reports)-1]; last.Type != "done" || last.Created != 20 {
		t.Errorf("got %s, want done with 20 tasks", a.body)
	}
}

func TestThePaceIgnoresTheTimeOfTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newPacedBody(strings.NewReader("ab"), http.NewResponseController(nil), pace{stall: time.Second, rate: 1 << 20, total: time.Hour})
		one := make([]byte, 1)
		for _, want := range []string{"a", "b"} {
			if n, err := b.Read(one); n != 1 || err != nil || string(one) != want {
				t.Fatalf("got %q %v, want %q", one[:n], err, want)
			}
			time.Sleep(time.Minute) // the server processes the bytes
		}
	})
}
