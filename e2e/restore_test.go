package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/taskwire/taskwire/e2e/client"
	"github.com/taskwire/taskwire/local/stack"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// runScript runs one of the operator's scripts against a stack, with the environment that docs/runbook.md gives.
func runScript(t *testing.T, s *stack.Stack, name string, args ...string) {
	t.Helper()
	root, err := repoRoot()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, "scripts", name), args...)
	cmd.Env = append(append(os.Environ(), kafkaEnvironment(s)...), "DATABASE_URL="+s.PostgresURL("postgres"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	t.Logf("%s: %s", name, out)
}

// startWithoutApps starts the servers of a stack and creates its databases, but starts no app and no sidecar.
func startWithoutApps(t *testing.T, cfg stack.Config) (s *stack.Stack, startApps func()) {
	t.Helper()
	for _, app := range apps.All() {
		cfg.Hold = append(cfg.Hold, app, stack.Sidecar(app))
	}
	s, err := stack.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the stack ended with %v", err)
		}
	})
	client.Eventually(t, startTimeout, "the databases are there", func() error {
		conn, err := pgx.Connect(t.Context(), s.PostgresURL("dapr_state")) // the last database that is created
		if err != nil {
			return err
		}
		return conn.Close(t.Context())
	})
	return s, func() {
		t.Helper()
		for _, app := range apps.All() {
			for _, part := range []string{app, stack.Sidecar(app)} {
				client.Eventually(t, time.Minute, "start "+part, func() error { return s.Start(part) })
			}
		}
		select {
		case <-s.Ready():
		case <-time.After(startTimeout):
			t.Fatal("not ready after the restore")
		}
	}
}

// TestARestoredBackupHasEveryWriteBeforeIt makes a backup while some events are still in the outbox, goes on writing,
// loses the volume of the database (then that of Kafka too), restores the backup, and counts.
func TestARestoredBackupHasEveryWriteBeforeIt(t *testing.T) {
	startsAStack(t)
	needsOwnBroker(t, "a second stack would share the first one's consumer groups")
	root, err := repoRoot()
	if err != nil {
		t.Fatal(err)
	}
	data, backup := t.TempDir(), filepath.Join(t.TempDir(), "backup")
	cfg := stackConfig(root, data)
	s, stop, err := startStack(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	u := client.NewUser(t, s.URL())
	soon := time.Now().UTC().Format(time.RFC3339Nano)
	u.Create(map[string]any{"title": "reminded before the backup", "due_date": "2030-01-01", "remind_at": soon})
	client.Eventually(t, time.Minute, "the first reminder", func() error { return hasNotifications(u, 1) })
	h, err := client.Write(t.Context(), u, "before", 0, func(answered int) bool { return answered < 25 })
	must(t, err)
	client.Eventually(t, time.Minute, "the successors", func() error { return h.CheckSuccessors(u) })
	reminders := 2 + h.DueReminders()
	u.Create(map[string]any{"title": "reminded after the restore", "due_date": "2030-01-01", "remind_at": time.Now().UTC().Add(20 * time.Second).Format(time.RFC3339Nano)})
	head, err := u.Head()
	if err != nil {
		t.Fatal(err)
	}
	client.Eventually(t, time.Minute, "all is in the audit log", func() error { return auditHas(u, "/api/v1/audit", int(head)) })

	// The last writes before the backup are acknowledged while their events wait in the outbox.
	must(t, s.Stop("task-api-daprd"))
	for i := range 5 {
		task := u.Create(map[string]any{"title": fmt.Sprint("in the outbox ", i)})
		h.Answered(task.ID, task.Version)
	}
	if head, err = u.Head(); err != nil {
		t.Fatal(err)
	}
	kept, _, err := u.Sync(0)
	if err != nil {
		t.Fatal(err)
	}
	runScript(t, s, "backup.sh", backup)

	// Acknowledged after the backup: these are what a restore loses.
	must(t, s.Start("task-api-daprd"))
	for i := range 3 {
		u.Create(map[string]any{"title": fmt.Sprint("after the backup ", i)})
	}
	lost := head + 3
	client.Eventually(t, client.RecoveryTimeout, "what came after is in the audit log", func() error { return auditHas(u, "/api/v1/audit", int(lost)) })
	must(t, stop())

	for _, volumes := range [][]string{{"postgres"}, {"postgres", "broker", "kafka"}} {
		t.Run(fmt.Sprint("without ", volumes), func(t *testing.T) {
			for _, v := range volumes {
				must(t, os.RemoveAll(filepath.Join(data, v)))
			}
			cfg := cfg
			cfg.BinDir, cfg.Durable = filepath.Join(root, ".taskwire", "bin"), true
			s, startApps := startWithoutApps(t, cfg)
			runScript(t, s, "restore.sh", backup)
			tellTheSigner(t, cfg, s.PostgresURL("audit"))
			startApps()
			u := u.At(t, s.URL())

			tasks, at, err := u.Sync(0)
			if err != nil {
				t.Fatal(err)
			}
			if at != head || !slices.EqualFunc(tasks, kept, func(a, b events.TaskData) bool { return a.ID == b.ID && a.Version == b.Version && a.Title == b.Title }) {
				t.Errorf("GET /sync: got %d tasks up to seq %d, want the %d up to %d of the backup", len(tasks), at, len(kept), head)
			}
			client.Eventually(t, client.RecoveryTimeout, "the audit log has what was acknowledged before the backup, once", func() error {
				entries, err := u.Audit("/api/v1/audit")
				if err != nil {
					return err
				}
				return h.CheckAudit(entries, head)
			})
			if err := h.CheckSuccessors(u); err != nil {
				t.Error(err)
			}
			client.Eventually(t, client.RecoveryTimeout, "each reminder, once", func() error { return hasNotifications(u, reminders) })

			// A page that saw writes which are lost now gets a resync. The next write reaches every consumer.
			ahead := client.OpenBrowser(t, u, lost)
			client.Eventually(t, time.Minute, "a resync for the page that is ahead", func() error { return ahead.ToldToResync() })
			page := client.OpenBrowser(t, u, head)
			if task := u.Create(map[string]any{"title": "after the restore"}); task.Seq != head+1 {
				t.Errorf("the first write has seq %d, want %d", task.Seq, head+1)
			}
			client.Eventually(t, time.Minute, "the page sees it", func() error { return page.SawAll(head, head+1) })
			client.Eventually(t, time.Minute, "the audit log has it", func() error { return auditHas(u, "/api/v1/audit", int(head)+1) })
			if err := hasNotifications(u, reminders); err != nil {
				t.Errorf("at the end: %v", err)
			}
		})
	}
}

// tellTheSigner says where the audit log goes on: at the newest checkpoint of the restored database (docs/runbook.md). The
// signer may have signed a later one, whose entries are lost.
func tellTheSigner(t *testing.T, cfg stack.Config, auditURL string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), auditURL)
	must(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	var checkpoint string
	must(t, conn.QueryRow(t.Context(), `SELECT checkpoint FROM checkpoints ORDER BY size DESC LIMIT 1`).Scan(&checkpoint))
	cmd := exec.CommandContext(t.Context(), filepath.Join(cfg.BinDir, apps.AuditSigner), "begin", "--replace",
		"--state", filepath.Join(cfg.Data, "audit-signer"), "--checkpoint", "-")
	cmd.Stdin = strings.NewReader(checkpoint)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("audit-signer begin: %v: %s", err, out)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// hasNotifications returns an error unless the user has exactly n notifications.
func hasNotifications(u *client.User, n int) error {
	inbox, err := u.Notifications()
	if err != nil {
		return err
	}
	if len(inbox) != n {
		return fmt.Errorf("GET /notifications: got %d, want %d: %+v", len(inbox), n, inbox)
	}
	return nil
}
