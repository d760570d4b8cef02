package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/taskwire/taskwire/local/stack"
)

const (
	// cpuUsers is the number of writing users. Each has an open page, so every create reaches a browser.
	cpuUsers = 32
	// settleTime is for the consumers to finish the events that have left the outbox. Nothing reports that they have.
	settleTime = 2 * time.Second
)

// benchCPU measures the CPU time that a create costs each part until it has reached the audit log and an open page, minus
// what the part uses when it is idle.
func benchCPU(ctx context.Context, s *stack.Stack, rounds int, arm time.Duration) error {
	conn, err := pgx.Connect(ctx, s.PostgresURL("tasks"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	users := make([]*account, cpuUsers)
	for i := range users {
		if users[i], err = register(ctx, s.URL()); err != nil {
			return err
		}
		p, err := open(ctx, users[i])
		if err != nil {
			return err
		}
		defer p.conn.Close()
	}
	fmt.Printf("CPU time of a create by part, %d rounds of %s, %d users with an open page each\n", rounds, arm, cpuUsers)
	spent := map[string][]float64{}
	var all, rates []float64
	for range rounds {
		idle, err := idleShare(ctx, s, arm)
		if err != nil {
			return err
		}
		before, begin := usageOf(s), time.Now()
		rate, creates, err := createRate(ctx, s.URL(), users, arm)
		if err != nil {
			return err
		}
		if err := waitForOutbox(ctx, conn); err != nil {
			return err
		}
		if err := pause(ctx, settleTime); err != nil {
			return err
		}
		took, sum := time.Since(begin), 0.0
		for part, cpu := range usageOf(s) {
			if part == "client" {
				continue
			}
			cost := max(0, float64(cpu-before[part])/float64(time.Microsecond)-idle[part]*float64(took)/float64(time.Microsecond)) / float64(creates)
			spent[part] = append(spent[part], cost)
			sum += cost
		}
		all, rates = append(all, sum), append(rates, rate)
	}
	for _, p := range s.Status() {
		fmt.Printf("  %-24s %7.0f µs   %6.0f a second and core\n", p.Name, median(spent[p.Name]), 1e6/max(1, median(spent[p.Name])))
	}
	fmt.Printf("  %-24s %7.0f µs   %6.0f a second and core (at %.0f creates/s)\n", "all", median(all), 1e6/median(all), median(rates))
	return nil
}

// idleShare returns the share of a core that each part uses without any request.
func idleShare(ctx context.Context, s *stack.Stack, arm time.Duration) (map[string]float64, error) {
	before, begin := usageOf(s), time.Now()
	if err := pause(ctx, arm); err != nil {
		return nil, err
	}
	share := map[string]float64{}
	for part, cpu := range usageOf(s) {
		share[part] = float64(cpu-before[part]) / float64(time.Since(begin))
	}
	return share, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
