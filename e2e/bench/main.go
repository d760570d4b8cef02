// Command bench measures the whole stack. It measures each figure together with a floor in the same round and prints the
// ratio: absolute figures of a shared machine vary by a factor of four, ratios of paired rounds do not.
//
//	create    creates per second at 32 connections, over pgbench with two inserts in one transaction: for the task API with
//	          Postgres alone, and for the whole stack on the same machine; and the CPU time of a create by part
//	relay     events a second through Dapr and the broker, over the sustained create rate; and the CPU time of an event
//	socket    time from commit to WebSocket at 100 creates a second, over a direct produce and consume on the same broker
//	cpu       CPU time of a create by part, until it is in the audit log and on an open page
//	start     time of a warm start until the stack is ready
//	memory    resident memory of each process, idle after start and after the load
//
// It asserts nothing. Flags: -rounds, -seconds, -only, -connections.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"time"

	"github.com/taskwire/taskwire/local/build"
	"github.com/taskwire/taskwire/local/stack"
)

func main() {
	rounds := flag.Int("rounds", 5, "paired rounds of each figure; the median of their ratios is quoted")
	seconds := flag.Int("seconds", 5, "length of one arm of a round")
	only := flag.String("only", "", "one of create, relay, socket, cpu; default all")
	flag.IntVar(&connections, "connections", defaultConnections, "clients that create at the same time; with another number than the default, create measures only the task API")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *rounds, time.Duration(*seconds)*time.Second, *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, rounds int, arm time.Duration, only string) error {
	// A few accounts write as fast as the platform can: their quotas are not what is measured.
	for _, quota := range []string{"TASKS_PER_ACCOUNT", "WRITES_PER_MINUTE"} {
		if err := os.Setenv(quota, "0"); err != nil {
			return err
		}
	}
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	bin := filepath.Join(root, ".taskwire", "bin")
	if err := build.All(ctx, build.Config{Root: root, BinDir: bin, Out: os.Stderr}); err != nil {
		return err
	}
	data, err := os.MkdirTemp("", "taskwire-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(data)
	cfg := stack.Config{
		Root: root, BinDir: bin, Data: data, Durable: true, Out: io.Discard, Log: slog.New(slog.DiscardHandler),
	}
	fmt.Println("start")
	for _, kind := range []string{"first, makes the data folder", "warm"} {
		took, s, end, err := start(ctx, cfg)
		if err != nil {
			return err
		}
		fmt.Printf("  %-32s %5.1f s\n", kind, took.Seconds())
		if kind != "warm" {
			if err := end(); err != nil {
				return err
			}
			continue
		}
		defer end() //nolint:errcheck // the figures are printed by then; the tests of the stack check that it stops
		printMemory("memory, idle", s)
		for _, b := range []struct {
			name string
			run  func(context.Context, *stack.Stack, int, time.Duration) error
		}{{"create", benchCreate}, {"relay", benchRelay}, {"socket", benchSocket}, {"cpu", benchCPU}} {
			if only != "" && only != b.name {
				continue
			}
			if err := b.run(ctx, s, rounds, arm); err != nil {
				return fmt.Errorf("%s: %w", b.name, err)
			}
		}
		printMemory("memory, after the load", s)
	}
	return nil
}

// start starts the stack and returns how long it took until every part was ready.
func start(ctx context.Context, cfg stack.Config) (time.Duration, *stack.Stack, func() error, error) {
	s, err := stack.New(cfg)
	if err != nil {
		return 0, nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	begin := time.Now()
	go func() { ended <- s.Run(ctx) }()
	end := func() error { cancel(); return <-ended }
	select {
	case <-s.Ready():
		return time.Since(begin), s, end, nil
	case err := <-ended:
		cancel()
		return 0, nil, nil, fmt.Errorf("the stack ended before it was ready: %w (logs in %s)", err, filepath.Join(cfg.Data, "log"))
	}
}

func printMemory(title string, s *stack.Stack) {
	fmt.Println(title)
	var total uint64
	for _, p := range s.Status() {
		total += uint64(p.RSSBytes)
		fmt.Printf("  %-24s %6.1f MiB\n", p.Name, float64(p.RSSBytes)/(1<<20))
	}
	fmt.Printf("  %-24s %6.1f MiB\n", "all", float64(total)/(1<<20))
}

// median sorts xs and returns its median.
func median[T int | float64 | time.Duration](xs []T) T {
	slices.Sort(xs)
	return xs[len(xs)/2]
}

// quantile returns the q-quantile of xs, which are sorted.
func quantile(xs []time.Duration, q float64) time.Duration {
	if len(xs) == 0 {
		return 0
	}
	return xs[min(len(xs)-1, int(float64(len(xs))*q))]
}
