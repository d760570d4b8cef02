package broker

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/twmb/franz-go/pkg/kgo"
)

// atOnce is how many tests run at a time unless -parallel says otherwise: they wait for timers far more than they compute.
const atOnce = "8"

func runAtOnce(n string) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", n) // the flag exists in every test binary
	}
}

// slow skips a test under -short that takes more than about 5 s, most of which the group protocol waits.
func slow(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("slow: it waits for session timeouts")
	}
}

// childEnv makes the test binary the broker, or the consumer, that a test kills.
const childEnv = "TASKWIRE_BROKER_TEST_CHILD"

type childConfig struct {
	Addr    string
	DataDir string
	Topics  []events.Topic
	Groups  []string // if set, the child is a consumer of Topics in each of these groups instead of a broker
	Session time.Duration
	Umask   bool // the child starts with a umask that hides nothing
}

func TestMain(m *testing.M) {
	raw, child := os.LookupEnv(childEnv)
	if !child {
		runAtOnce(atOnce)
		os.Exit(m.Run())
	}
	var cfg childConfig
	if err := json.Unmarshal([]byte(raw), &cfg); err != nil {
		panic(err)
	}
	if err := runChild(cfg); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runChild(cfg childConfig) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if len(cfg.Groups) > 0 {
		consumeUntil(ctx, cfg)
		return nil
	}
	if cfg.Umask {
		syscall.Umask(0)
	}
	MakeFilesPrivate()
	return Run(ctx, Config{Addr: cfg.Addr, DataDir: cfg.DataDir, Topics: cfg.Topics, NoSync: true,
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}, func(addr string) { fmt.Println(addr) })
}

func consumeUntil(ctx context.Context, cfg childConfig) {
	var members sync.WaitGroup
	for _, group := range cfg.Groups {
		cl, err := kgo.NewClient(append(memberOpts(cfg.Addr, group),
			kgo.ConsumeTopics(cfg.Topics[0].Name), kgo.SessionTimeout(max(cfg.Session, shortSession)))...)
		if err != nil {
			panic(err)
		}
		members.Go(func() {
			for ctx.Err() == nil {
				cl.PollFetches(ctx)
			}
		})
	}
	members.Wait()
}

// shortSession is the shortest session timeout that kfake takes.
const shortSession = 6 * time.Second

// memberOpts are the options of a consumer with the classic group protocol, which daprd's consumer uses.
func memberOpts(addr, group string) []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(addr), kgo.ConsumerGroup(group), kgo.Balancers(kgo.RangeBalancer()),
		kgo.SessionTimeout(shortSession), kgo.HeartbeatInterval(500 * time.Millisecond)}
}

// process is a child of the test. It is killed at the test's end.
type process struct {
	cmd  *exec.Cmd
	addr string // what it printed first
}

func startChild(t *testing.T, cfg childConfig) *process {
	t.Helper()
	raw, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), childEnv+"="+string(raw))
	p.cmd.Stderr = testWriter{t}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	if len(cfg.Groups) == 0 {
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatalf("the broker process ended before it was ready: %v", err)
		}
		p.addr = strings.TrimSpace(line)
		go func() { _, _ = io.Copy(io.Discard, out) }()
	}
	return p
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(b), "\n"))
	return len(b), nil
}

// start runs a broker in the test's own process until the test ends, or stop is called.
func start(t *testing.T, cfg Config) (addr string, stop func()) {
	t.Helper()
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	if cfg.DataDir == "" {
		cfg.DataDir = t.TempDir()
	}
	cfg.NoSync = true
	cfg.Log = slog.New(slog.NewTextHandler(testWriter{t}, nil))
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() { done <- Run(ctx, cfg, func(addr string) { ready <- addr }) }()
	var ended bool
	stop = func() {
		t.Helper()
		cancel()
		if ended {
			return
		}
		ended = true
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run = %v, want nil after its context ended", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("Run did not return after its context ended")
		}
	}
	t.Cleanup(stop)
	select {
	case addr := <-ready:
		return addr, stop
	case err := <-done:
		t.Fatalf("Run = %v before it was ready", err)
	case <-time.After(20 * time.Second):
		t.Fatal("the broker did not become ready")
	}
	return "", nil
}

func newClient(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr), kgo.RecordPartitioner(kgo.ManualPartitioner())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// eventually polls until is returns true. It fails with what if that takes longer than within.
func eventually(t *testing.T, within time.Duration, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}
