package e2e

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/taskwire/taskwire/e2e/intruder"
	"github.com/taskwire/taskwire/local/build"
	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/local/stack"
)

// startTimeout bounds the start of a whole stack. A warm start takes seconds, and far more on a machine that compiles
// something else at the same time.
const startTimeout = 3 * time.Minute

// shared is the stack that the tests of this package share. Each test registers its own users.
//
// All tests are parallel, because they wait more than they compute. Each begins with one of three calls, which keep apart
// what would disturb one another: disturbsShared, usesShared or startsAStack.
var shared *stack.Stack

// waiting is the number of tests that may be started. It is more than there are tests, because most of them wait for a lock
// and must not take the place of one that could run.
const waiting = "64"

var (
	sharedLock sync.RWMutex
	stackLock  sync.Mutex
)

// disturbsShared lets a test kill and stop parts of the shared stack: no other test uses it meanwhile.
func disturbsShared(t *testing.T) {
	t.Parallel()
	sharedLock.Lock()
	t.Cleanup(sharedLock.Unlock)
}

// usesShared lets a test use the shared stack while no test disturbs it.
func usesShared(t *testing.T) {
	t.Parallel()
	sharedLock.RLock()
	t.Cleanup(sharedLock.RUnlock)
}

// startsAStack lets a test start a stack of its own. Only one test does so at a time, so that with the shared one there are
// two stacks, which is what two processors can carry.
func startsAStack(t *testing.T) {
	t.Parallel()
	stackLock.Lock()
	t.Cleanup(stackLock.Unlock)
}

func TestMain(m *testing.M) {
	if os.Getenv(intruder.Env) != "" {
		os.Exit(intruder.Main(os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(runMain(m))
}

func runMain(m *testing.M) int {
	flag.Parse()
	if err := flag.Set("test.parallel", waiting); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	root, err := repoRoot()
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	if err := build.All(ctx, build.Config{Root: root, BinDir: filepath.Join(root, ".taskwire", "bin"), Out: os.Stderr}); err != nil {
		fmt.Fprintln(os.Stderr, "e2e: build:", err)
		return 1
	}
	data, err := os.MkdirTemp("", "taskwire-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	s, stop, err := startStack(ctx, stackConfig(root, data))
	if err != nil {
		fmt.Fprintf(os.Stderr, "e2e: start the stack: %v (its logs are kept in %s)\n", err, filepath.Join(data, "log"))
		return 1
	}
	shared = s
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e: stop the stack:", err)
		code = max(code, 1)
	}
	if code != 0 {
		fmt.Fprintf(os.Stderr, "e2e: the logs of every part are kept in %s\n", filepath.Join(data, "log"))
		return code
	}
	if err := os.RemoveAll(data); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
	}
	return code
}

// By default a stack runs its own broker (local/broker). scripts/kafka.sh runs the tests on Apache Kafka and sets one of
// these: the folder of its jars, so that each stack starts a Kafka of its own, or the addresses of running brokers.
const (
	jarsVariable    = "TEST_KAFKA_JARS"
	brokersVariable = "TEST_KAFKA_BROKERS"
)

// stackConfig returns the configuration of a stack with the broker that the environment names.
func stackConfig(root, data string) stack.Config {
	login, err := kafkaconn.FromEnvironment(os.Getenv(brokersVariable))
	if err != nil {
		panic(err) // the environment of scripts/kafka.sh
	}
	return stack.Config{
		Root: root, Data: data, KafkaJars: os.Getenv(jarsVariable), Kafka: os.Getenv(brokersVariable), KafkaLogin: stack.KafkaLogin{Settings: login},
		Env: map[string]string{
			"ACCOUNT_CHECK_EVERY": "1s", // the default of 10 minutes is longer than a test
			"ALLOWED_ORIGINS":     pageOrigin,
		},
	}
}

// needsOwnBroker skips a test that must not use brokers which others use too, and says why.
func needsOwnBroker(t *testing.T, why string) {
	t.Helper()
	if brokers := os.Getenv(brokersVariable); brokers != "" {
		t.Skipf("the brokers at %s were not started by the tests: %s", brokers, why)
	}
}

// startStack starts a stack and waits until it is ready. stop stops it and returns the error of its Run.
func startStack(ctx context.Context, cfg stack.Config) (s *stack.Stack, stop func() error, err error) {
	cfg.BinDir = filepath.Join(cfg.Root, ".taskwire", "bin")
	cfg.Out = io.Discard
	cfg.Durable = true
	cfg.Log = slog.New(slog.DiscardHandler)
	s, err = stack.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	select {
	case <-s.Ready():
		return s, stop, nil
	case err := <-ended:
		cancel()
		return nil, nil, fmt.Errorf("ended before it was ready: %w", err)
	case <-time.After(startTimeout):
		return nil, nil, fmt.Errorf("not ready after %s: %w", startTimeout, stop())
	}
}

// showLogs logs the last lines of the named parts if the test fails: its temporary folder is removed with the logs.
func showLogs(t *testing.T, s *stack.Stack, parts ...string) {
	t.Cleanup(func() {
		for _, part := range parts {
			if raw, err := os.ReadFile(s.LogPath(part)); t.Failed() && err == nil {
				t.Logf("the end of the log of %s:\n%s", part, raw[max(0, len(raw)-4000):])
			}
		}
	})
}

// repoRoot returns the folder above this one that holds go.work.
func repoRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no go.work above this folder")
}
