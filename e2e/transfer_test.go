package e2e

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/taskwire/taskwire/e2e/client"
)

// transferTimeout bounds one run of the command.
const transferTimeout = 2 * time.Minute

// taskwire returns a run of the command as the user. The test starts it.
func taskwire(t *testing.T, u *client.User, args ...string) *exec.Cmd {
	t.Helper()
	root, err := repoRoot()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, ".taskwire", "bin", "taskwire"), append(args, "--url", u.Base)...)
	cmd.Env = append(os.Environ(), "TASKWIRE_TOKEN="+u.Token, "TERM=xterm")
	cmd.WaitDelay = transferTimeout
	return cmd
}

// ran is the outcome of a run.
type ran struct {
	code      int
	out, errs string
}

// runs runs the command and returns its outcome.
func runs(t *testing.T, u *client.User, args ...string) ran {
	t.Helper()
	return finish(t, taskwire(t, u, args...), (*exec.Cmd).Run)
}

func finish(t *testing.T, cmd *exec.Cmd, wait func(*exec.Cmd) error) ran {
	t.Helper()
	var out, errs bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout, cmd.Stderr = &out, &errs
	}
	err := wait(cmd)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("taskwire %v: %v", cmd.Args[1:], err)
	}
	return ran{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// fillForExport creates tasks whose values every format can hold, and returns their number.
func fillForExport(u *client.User) (n int) {
	for _, task := range []map[string]any{
		{"title": "Größe 👩‍👩‍👧 \"quoted\", with; signs\\", "description": "a\n\tb, c; d", "priority": "urgent", "tags": []string{"büro", "x"}, "due_at": "2030-03-01T10:00:00Z", "remind_at": "2030-02-28T09:00:00Z", "timezone": "America/New_York"},
		{"title": "Water", "due_date": "2030-03-01", "recurrence": map[string]any{"rrule": "FREQ=WEEKLY;BYDAY=FR", "anchor": "completion"}, "priority": "low"},
		{"title": "=1+1", "description": "@not a formula"}, {"title": "'=tis"},
		{"title": "done", "status": "completed"}, {"title": "begun", "status": "in_progress", "priority": "high"}, {"title": "off", "status": "cancelled"},
	} {
		u.Create(task)
		n++
	}
	return n
}

// exported returns a user's export as CSV, without the ids, which are new in each account. Its lines are sorted, so their order does not depend on the
// order of creation.
func exported(t *testing.T, u *client.User) [][]string {
	t.Helper()
	status, raw, err := u.Do(http.MethodGet, "/api/v1/export?format=csv", nil, nil)
	if err != nil || status != http.StatusOK {
		t.Fatalf("export: %d %s %v", status, raw, err)
	}
	records, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil {
		t.Fatalf("export: %v in %s", err, raw)
	}
	for column, name := range records[0] {
		if name != "TASKWIRE_ID" && name != "TASKWIRE_SERIES_ID" {
			continue
		}
		for _, record := range records[1:] {
			record[column] = ""
		}
	}
	slices.SortFunc(records, slices.Compare)
	return records
}

func TestTheCommandExportsAndImportsEveryFormatOnce(t *testing.T) {
	usesShared(t)
	from := client.NewUser(t, shared.URL())
	n := fillForExport(from)
	want := exported(t, from)
	for name, format := range map[string]string{"tasks.jsonl": "", "tasks.csv": "", "tasks.ics": "", "tasks.json": "", "without-an-end": "taskwarrior"} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), name)
			args := []string{file}
			if format != "" {
				args = append(args, "--format", format)
			}
			if got := runs(t, from, append([]string{"export"}, args...)...); got.code != 0 || got.out != "" {
				t.Fatalf("export: got %+v", got)
			}
			to := client.NewUser(t, shared.URL())
			for _, line := range []string{
				fmt.Sprintf("%d tasks made, 0 were there already, 0 refused, 0 left out, 0 notes.", n),
				fmt.Sprintf("0 tasks made, %d were there already, 0 refused, 0 left out, 0 notes.", n),
			} {
				if got := runs(t, to, append([]string{"import"}, args...)...); got.code != 0 || strings.TrimSpace(got.out) != line || got.errs != "" {
					t.Errorf("import: got %+v, want %q and, without a terminal, no progress", got, line)
				}
			}
			if got := exported(t, to); !slices.EqualFunc(got, want, slices.Equal) {
				t.Errorf("exported, imported and exported again: got\n%q\nwant\n%q", got, want)
			}
		})
	}
}

func TestTheCommandReportsEachLineThatIsRefused(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	file := filepath.Join(t.TempDir(), "x.jsonl")
	if err := os.WriteFile(file, []byte("{\"title\":\"good\"}\n{\"title\":\"\"}\nnonsense\n{\"title\":\"x\",\"titel\":\"y\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := runs(t, u, "import", file)
	for _, want := range []string{"line 2: title must not be empty", "line 3: ", "line 4: titel", "2 tasks made, 0 were there already, 2 refused"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("import: got %q, want it to have %q", got.out, want)
		}
	}
	if got.code != 1 || got.errs != "" {
		t.Errorf("import: got %d and %q, want 1 and nothing on stderr", got.code, got.errs)
	}
}

func TestCtrlCInAnImportTellsHowToContinue(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	const n = 1000
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, "{\"id\":\"src-%d\",\"title\":\"t%d\"}\n", i, i)
	}
	cmd := taskwire(t, u, "import", "-", "--format", "jsonl")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	half := lines.String()[:lines.Len()/2]
	got := finish(t, cmd, func(cmd *exec.Cmd) error {
		if err := cmd.Start(); err != nil {
			return err
		}
		if _, err := io.WriteString(in, half); err != nil {
			t.Errorf("send half of the file: %v", err)
		}
		client.Eventually(t, time.Minute, "a part of the file is imported", func() error {
			if tasks, _, err := u.Sync(0); err != nil || len(tasks) == 0 {
				return errors.Join(err, errNothingYet)
			}
			return nil
		})
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Errorf("interrupt: %v", err)
		}
		return cmd.Wait() // the rest of the file never comes
	})
	if got.code != 128+int(syscall.SIGINT) || strings.Count(got.errs, "\n") != 1 || !strings.Contains(got.errs, "interrupted") || !strings.Contains(got.errs, "Run the same import again") {
		t.Errorf("interrupted: got %+v, want 130 and one line that says how to continue", got)
	}
	cmd = taskwire(t, u, "import", "-", "--format", "jsonl")
	cmd.Stdin = strings.NewReader(lines.String())
	if got := finish(t, cmd, (*exec.Cmd).Run); got.code != 0 {
		t.Errorf("the repeated import: got %+v", got)
	}
	tasks, head, err := u.Sync(0)
	if err != nil || len(tasks) != n || head != n {
		t.Errorf("after the repeated import: got %d tasks, head %d, %v; want %d for both", len(tasks), head, err, n)
	}
}

func TestProgressIsShownOnATerminalAndClearedAtTheEnd(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	var lines strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&lines, "{\"title\":\"t%d\"}\n", i)
	}
	lines.WriteString("nonsense\n")
	file := filepath.Join(t.TempDir(), "x.jsonl")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := taskwire(t, u, "import", file)
	terminal, err := pty.Start(cmd) // the terminal becomes stdout and stderr
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	var shown bytes.Buffer
	_, _ = io.Copy(&shown, terminal) // returns EIO when the command ends
	got := finish(t, cmd, (*exec.Cmd).Wait)
	const clear = "\r\x1b[K"
	steps := strings.Split(shown.String(), clear)
	progress := 0
	for _, step := range steps {
		if strings.Contains(step, " % ") && strings.Contains(step, " made, ") && !strings.Contains(step, "\n") {
			progress++
		}
	}
	if progress == 0 {
		t.Errorf("got %q, want lines of progress that are cleared", shown.String())
	}
	last := steps[len(steps)-1]
	if !strings.Contains(last, "1000 tasks made, 0 were there already, 1 refused") || strings.Contains(last, " % ") {
		t.Errorf("at the end: got %q, want only the outcome", last)
	}
	if !strings.Contains(shown.String(), "line 1001: ") || got.code != 1 {
		t.Errorf("got %d %q, want 1 and the line that was refused", got.code, shown.String())
	}
}

func TestAnErrorOfTheCommandIsOneLine(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	file := filepath.Join(t.TempDir(), "x.jsonl")
	if err := os.WriteFile(file, []byte("{\"title\":\"t\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	stranger, nowhere, elsewhere := *u, *u, *u
	stranger.Token, nowhere.Base, elsewhere.Base = "not a token", "http://127.0.0.1:1", shared.URL()+"/another/path"
	nameless := *u
	nameless.Token = ""
	for _, tc := range []struct {
		name string
		as   client.User
		args []string
		want string
	}{
		{"no token", nameless, []string{"import", file}, "TASKWIRE_TOKEN"},
		{"no token for an export", nameless, []string{"export", file}, "TASKWIRE_TOKEN"},
		{"a bad token", stranger, []string{"import", file}, "TASKWIRE_TOKEN"},
		{"a bad token for an export", stranger, []string{"export", file}, "TASKWIRE_TOKEN"},
		{"nothing at the address", nowhere, []string{"import", file}, "cannot reach http://127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused"},
		{"another service at the address", elsewhere, []string{"import", file}, "404"},
		{"no file", *u, []string{"import", filepath.Join(filepath.Dir(file), "none.jsonl")}, "no such file"},
		{"a folder", *u, []string{"import", filepath.Dir(file), "--format", "jsonl"}, "is a folder"},
		{"a folder that is not there", *u, []string{"export", file + "x/y.jsonl"}, "no such file"},
		{"a file of another kind", *u, []string{"import", file, "--format", "ics"}, "(422)"},
	} {
		got := runs(t, &tc.as, tc.args...)
		if got.code != 1 || got.out != "" || !strings.HasPrefix(got.errs, "taskwire: ") || strings.Count(got.errs, "\n") != 1 || !strings.Contains(got.errs, tc.want) {
			t.Errorf("%s: got %+v, want 1 and one line with %q", tc.name, got, tc.want)
		}
	}
	if raw, err := os.ReadFile(file); err != nil || string(raw) != "{\"title\":\"t\"}\n" {
		t.Errorf("after failed exports: got the file %q, %v, want it unchanged", raw, err)
	}
}
