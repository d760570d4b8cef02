package broker

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/taskwire/taskwire/local/kafkausers"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// passwords returns a password for each user.
func passwords() map[string]string {
	all := map[string]string{}
	for _, name := range kafkausers.Names() {
		all[name] = "secret of " + name
	}
	return all
}

func as(user string) kgo.Opt {
	return kgo.SASL(scram.Auth{User: user, Pass: "secret of " + user}.AsSha512Mechanism())
}

// ping returns the error of a request of a client.
func ping(t *testing.T, addr string, opts ...kgo.Opt) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	return newClient(t, addr, append(opts, kgo.RetryTimeout(time.Second))...).Ping(ctx)
}

func TestNobodyWithoutAPasswordIsServed(t *testing.T) {
	t.Parallel()
	addr, _ := start(t, Config{Topics: events.Topics(), Passwords: passwords()})
	audit := kafkausers.Of(apps.Audit)
	if err := ping(t, addr, as(audit)); err != nil {
		t.Errorf("with the right password: %v", err)
	}
	for name, opts := range map[string][]kgo.Opt{
		"no user":          nil,
		"a wrong password": {kgo.SASL(scram.Auth{User: audit, Pass: "a guess"}.AsSha512Mechanism())},
		"an unknown user":  {kgo.SASL(scram.Auth{User: "admin", Pass: "admin"}.AsSha256Mechanism())},
		"no password":      {kgo.SASL(plain.Auth{User: audit, Pass: ""}.AsMechanism())},
		"another way":      {kgo.SASL(plain.Auth{User: audit, Pass: "secret of " + audit}.AsMechanism())},
	} {
		if err := ping(t, addr, opts...); err == nil {
			t.Errorf("with %s: served", name)
		}
	}
}

// request returns a request without a login in front.
func request(req kmsg.Request) []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("stranger")).AppendRequest(nil, req, 1)
}

func TestAStrangerIsCutOff(t *testing.T) {
	t.Parallel()
	addr, _ := start(t, Config{Topics: events.Topics(), Passwords: passwords()})
	large := kmsg.NewPtrSASLAuthenticateRequest()
	large.SASLAuthBytes = make([]byte, maxLoginBytes)
	handshake := kmsg.NewPtrSASLHandshakeRequest()
	handshake.SetVersion(1)
	handshake.Mechanism = mechanism
	versions := request(kmsg.NewPtrApiVersionsRequest())
	for name, sent := range map[string][]byte{
		"a request of another kind": request(kmsg.NewPtrMetadataRequest()),
		"a large request":           request(large),
		"many requests at once":     slices.Repeat(versions, 100*maxLoginRequests),
		"a large one after a name":  append(request(handshake), request(large)...),
		"the head of a huge one":    binary.BigEndian.AppendUint32(nil, maxRequestBytes),
	} {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write(sent)
		_ = c.SetReadDeadline(time.Now().Add(loginTimeout + 10*time.Second))
		if _, err := io.Copy(io.Discard, c); isTimeout(err) {
			t.Errorf("after %s: the connection is still open", name)
		}
		c.Close()
	}
}

// TestALoginHasNoDeadlineAfterIt holds a connection for longer than a login may take.
func TestALoginHasNoDeadlineAfterIt(t *testing.T) {
	t.Parallel()
	here, there := net.Pipe()
	t.Cleanup(func() { here.Close(); there.Close() })
	l, err := newLogin(deadlines{there, new([]time.Time)})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, here) }()
	answer := make([]byte, 32) // no error
	for i := range scramAnswers {
		if err := l.request(kmsg.SASLAuthenticate, 2, 100); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		if _, err := l.Write(answer); err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
	}
	set := *l.Conn.(deadlines).set
	if len(set) != 2 || set[0].IsZero() || !set[1].IsZero() {
		t.Errorf("deadlines = %v, want one and then none", set)
	}
	if err := l.request(kmsg.Produce, 9, maxRequestBytes); err != nil {
		t.Errorf("a large request after the login: %v", err)
	}
}

func TestARefusedLoginIsNone(t *testing.T) {
	t.Parallel()
	here, there := net.Pipe()
	t.Cleanup(func() { here.Close(); there.Close() })
	l, err := newLogin(there)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, here) }()
	refused := []byte{0, 0, 0, 6, 0, 0, 0, 1, 0, 58}
	for range 3 * scramAnswers {
		if err := l.request(kmsg.SASLAuthenticate, 1, 100); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Write(refused); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.request(kmsg.Produce, 9, maxLoginBytes+1); !errors.Is(err, errNotLoggedIn) {
		t.Errorf("a large request after refused logins = %v, want %v", err, errNotLoggedIn)
	}
}

// deadlines records the deadlines of a connection.
type deadlines struct {
	net.Conn
	set *[]time.Time
}

func (d deadlines) SetDeadline(t time.Time) error {
	*d.set = append(*d.set, t)
	return nil
}

// TestAChangedPasswordReplacesTheOldOne starts the broker again on the same folder, which holds the users of the first start.
func TestAChangedPasswordReplacesTheOldOne(t *testing.T) {
	t.Parallel()
	cfg := Config{DataDir: t.TempDir(), Topics: events.Topics(), Passwords: passwords()}
	_, stop := start(t, cfg)
	stop()
	user := kafkausers.Of(apps.Notification)
	cfg.Passwords[user] = "another"
	delete(cfg.Passwords, kafkausers.Operator)
	addr, _ := start(t, cfg)
	if err := ping(t, addr, kgo.SASL(scram.Auth{User: user, Pass: "another"}.AsSha512Mechanism())); err != nil {
		t.Errorf("with the new password: %v", err)
	}
	for _, gone := range []string{user, kafkausers.Operator} {
		if err := ping(t, addr, as(gone)); err == nil {
			t.Errorf("%s is served with the old password", gone)
		}
	}
}

// TestAFolderWithoutUsersIsTakenOver upgrades a folder of a version that asked for no password: its records and the offsets of its
// groups stay.
func TestAFolderWithoutUsersIsTakenOver(t *testing.T) {
	t.Parallel()
	old := childConfig{Addr: "127.0.0.1:0", DataDir: t.TempDir(), Topics: events.Topics()}
	before := startChild(t, old)
	cl := newClient(t, before.addr)
	for i := range 3 {
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: events.TopicTaskEvents, Value: []byte{byte(i)}}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	offsets := make(kadm.Offsets)
	offsets.AddOffset(events.TopicTaskEvents, 0, 2, -1)
	if err := kadm.NewClient(cl).CommitAllOffsets(t.Context(), apps.Audit, offsets); err != nil {
		t.Fatal(err)
	}
	before.kill()
	for _, open := range []string{"", groupsLog, metaFile} {
		mode := fs.FileMode(0o644)
		if open == "" {
			mode = 0o755
		}
		if err := os.Chmod(filepath.Join(old.DataDir, open), mode); err != nil {
			t.Fatal(err)
		}
	}

	addr, _ := start(t, Config{DataDir: old.DataDir, Topics: events.Topics(), Passwords: passwords()})
	audit := newClient(t, addr, as(kafkausers.Of(apps.Audit)))
	committed, err := kadm.NewClient(audit).FetchOffsets(t.Context(), apps.Audit)
	if o, ok := committed.Lookup(events.TopicTaskEvents, 0); err != nil || !ok || o.At != 2 {
		t.Errorf("the group's offset = %+v, %v, want 2", o, err)
	}
	reader := newClient(t, addr, as(kafkausers.Of(apps.Audit)),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{events.TopicTaskEvents: {0: kgo.NewOffset().At(2)}}))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if got := reader.PollFetches(ctx).Records(); len(got) != 1 || got[0].Value[0] != 2 {
		t.Errorf("records from the offset on = %v, want the third", got)
	}
}

// modes returns the files and folders that others may use.
func modes(t *testing.T, dir string) (open []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&notPrivate != 0 {
			open = append(open, info.Mode().String()+" "+path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return open
}

func TestNoFileIsReadableByOthersWhateverTheUmask(t *testing.T) {
	t.Parallel()
	cfg := childConfig{Addr: "127.0.0.1:0", DataDir: filepath.Join(t.TempDir(), "made", "by", "it"), Topics: events.Topics(), Umask: true}
	broker := startChild(t, cfg)
	cl := newClient(t, broker.addr)
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: events.TopicTaskEvents, Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	offsets := make(kadm.Offsets)
	offsets.AddOffset(events.TopicTaskEvents, 0, 1, -1)
	if err := kadm.NewClient(cl).CommitAllOffsets(t.Context(), "readers", offsets); err != nil {
		t.Fatal(err)
	}
	if open := modes(t, cfg.DataDir); len(open) > 0 {
		t.Errorf("others may use:\n%s", strings.Join(open, "\n"))
	}
	if err := broker.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = broker.cmd.Wait()
	if open := modes(t, cfg.DataDir); len(open) > 0 {
		t.Errorf("after its end others may use:\n%s", strings.Join(open, "\n"))
	}
}

func TestAnOpenFolderIsTightened(t *testing.T) {
	t.Parallel()
	dir := filledFolder(t)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if d.IsDir() {
			return errors.Join(err, os.Chmod(path, 0o755))
		}
		return errors.Join(err, os.Chmod(path, 0o644))
	})
	if err != nil {
		t.Fatal(err)
	}
	_, stop := start(t, Config{DataDir: dir})
	open := modes(t, dir)
	stop()
	// The test's process has its own umask, so only what was there before counts.
	for _, path := range open {
		if strings.HasSuffix(path, ".dat") || strings.HasPrefix(path, "d") || strings.HasSuffix(path, groupsLog) {
			t.Errorf("others may still use %s", path)
		}
	}
}
