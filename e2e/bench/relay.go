package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/taskwire/taskwire/local/stack"
)

const (
	relaySidecar = "task-api-daprd"
	// relayPoll is the time between two counts of the outbox, short compared with a drain of seconds.
	relayPoll = 20 * time.Millisecond
)

// relayParts are the parts that use CPU time for a published event.
var relayParts = []string{taskAPI, relaySidecar, "broker"}

// benchRelay compares two rates in each round: that of creates while everything runs, and that at which the relay publishes
// a backlog of events through Dapr to the broker. The backlog comes from creates while the sidecar is stopped.
func benchRelay(ctx context.Context, s *stack.Stack, rounds int, arm time.Duration) error {
	conn, err := pgx.Connect(ctx, s.PostgresURL("tasks"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	users := make([]*account, connections)
	for i := range users {
		if users[i], err = register(ctx, s.URL()); err != nil {
			return err
		}
	}
	fmt.Printf("relay through Dapr and the broker, %d rounds of %s (with the sustained create rate)\n", rounds, arm)
	var ratios, costs []float64
	for range rounds {
		if err := waitForOutbox(ctx, conn); err != nil {
			return err
		}
		sustained, _, err := createRate(ctx, s.URL(), users, arm)
		if err != nil {
			return err
		}
		if err := waitForOutbox(ctx, conn); err != nil {
			return err
		}
		d, err := drainBacklog(ctx, s, conn, users, arm)
		if err != nil {
			return err
		}
		ratio := d.creates / sustained
		ratios, costs = append(ratios, ratio), append(costs, d.cpu)
		fmt.Printf("  create %6.0f/s   relay %6.0f events/s, of %6.0f creates/s   ratio %.2f   CPU %.0f µs an event (%s)\n",
			sustained, d.events, d.creates, ratio, d.cpu, strings.Join(relayParts, ", "))
	}
	fmt.Printf("  median ratio %.2f (aim 1.20), CPU %.0f µs an event\n", median(ratios), median(costs))
	return nil
}

// drained holds the rates at which a backlog was published, in events and in creates a second, and the µs of CPU an event.
type drained struct{ events, creates, cpu float64 }

func drainBacklog(ctx context.Context, s *stack.Stack, conn *pgx.Conn, users []*account, arm time.Duration) (d drained, err error) {
	if err := s.Stop(relaySidecar); err != nil {
		return d, err
	}
	rate, _, err := createRate(ctx, s.URL(), users, arm)
	if err != nil {
		return d, err
	}
	backlog, err := waiting(ctx, conn)
	if err != nil {
		return d, err
	}
	if err := s.Start(relaySidecar); err != nil {
		return d, err
	}
	left := backlog
	for left == backlog { // until the relay notices that the sidecar runs again
		if left, err = waiting(ctx, conn); err != nil {
			return d, err
		}
	}
	events, begin, cpu := float64(left), time.Now(), cpuTime(s, relayParts)
	for left > 0 {
		if left, err = waiting(ctx, conn); err != nil {
			return d, err
		}
	}
	d.events = events / time.Since(begin).Seconds()
	d.creates = d.events * rate * arm.Seconds() / float64(backlog)
	d.cpu = float64((cpuTime(s, relayParts) - cpu).Microseconds()) / events
	return d, nil
}

func waiting(ctx context.Context, conn *pgx.Conn) (rows int, err error) {
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(relayPoll):
	}
	err = conn.QueryRow(ctx, `SELECT count(*) FROM outbox`).Scan(&rows)
	return rows, err
}

// cpuTime returns the CPU time that the parts have used so far; 0 on a system without /proc.
func cpuTime(s *stack.Stack, parts []string) (sum time.Duration) {
	for _, p := range s.Status() {
		for _, name := range parts {
			if p.Name == name {
				sum += cpuOf(p.PID)
			}
		}
	}
	return sum
}
