package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/taskwire/taskwire/local/stack"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// defaultConnections is the load that the figures are quoted for.
const defaultConnections = 32

// connections is the number of concurrent clients, over HTTP and in pgbench. Flag -connections sets it.
var connections = defaultConnections

const taskAPI = apps.TaskAPI

// benchCreate measures in two parts, each in rounds that are paired with the floor. The first is the task API with Postgres
// and nothing else: without its sidecar it goes on writing, and the outbox keeps the events. The second is the whole stack
// through the gateway, while the events go to the four consumers on the same cores.
func benchCreate(ctx context.Context, s *stack.Stack, rounds int, arm time.Duration) error {
	b, err := newBencher(ctx, s)
	if err != nil {
		return err
	}
	defer b.conn.Close(ctx)
	users := make([]*account, connections)
	for i := range users {
		if users[i], err = register(ctx, s.URL()); err != nil {
			return err
		}
	}
	if err := benchAPI(ctx, b, users, rounds, arm); err != nil {
		return err
	}
	if connections != defaultConnections {
		return nil // with fewer clients the pipeline has spare time, and its figures say nothing
	}
	return benchPipeline(ctx, b, users, rounds, arm)
}

func benchAPI(ctx context.Context, b *bencher, users []*account, rounds int, arm time.Duration) error {
	held, err := hold(b.stack)
	if err != nil {
		return err
	}
	base, err := direct(b.stack)
	if err != nil {
		return err
	}
	fmt.Printf("create, the task API with Postgres alone, %d connections, %d rounds of %s\n", connections, rounds, arm)
	if _, _, err := createRate(ctx, base, users, arm); err != nil { // warms up connections, plans and caches
		return err
	}
	var all arms
	for range rounds {
		if err := b.forget(ctx); err != nil {
			return err
		}
		floor, floorCosts, err := b.floor(ctx, arm)
		if err != nil {
			return err
		}
		rows, rowCosts, err := b.rows(ctx, arm)
		if err != nil {
			return err
		}
		if err := b.forget(ctx); err != nil {
			return err
		}
		rate, used, err := b.creates(ctx, base, users, arm)
		if err != nil {
			return err
		}
		fmt.Printf("  floor %6.0f/s %s\n  rows  %6.0f/s %s   ratio %.2f\n  API   %6.0f/s %s   ratio %.2f   load %s\n",
			floor, floorCosts, rows, rowCosts, rows/floor, rate, used, rate/floor, load())
		all.add(rate/floor, floorCosts, used)
		all.rows = append(all.rows, rows/floor)
	}
	fmt.Printf("  median: the same rows by pgbench, a transaction each, %.2f of the floor; ", median(all.rows))
	all.print()
	if err := b.forget(ctx); err != nil {
		return err
	}
	return release(ctx, b.stack, held)
}

func benchPipeline(ctx context.Context, b *bencher, users []*account, rounds int, arm time.Duration) error {
	fmt.Printf("create, the whole pipeline through the gateway, %d connections, %d rounds of %s\n", connections, rounds, arm)
	var all arms
	for range rounds {
		floor, floorCosts, err := b.floor(ctx, arm)
		if err != nil {
			return err
		}
		rate, used, err := b.creates(ctx, b.stack.URL(), users, arm)
		if err != nil {
			return err
		}
		fmt.Printf("  floor %6.0f/s %s\n  all   %6.0f/s %s   ratio %.2f   load %s\n", floor, floorCosts, rate, used, rate/floor, load())
		all.add(rate/floor, floorCosts, used)
		if err := waitForOutbox(ctx, b.conn); err != nil {
			return err
		}
	}
	fmt.Print("  median: ")
	all.print()
	return nil
}

// forget empties the outbox. Nothing consumes the events of this bench, and a backlog that grows for minutes would slow
// the later rounds.
func (b *bencher) forget(ctx context.Context) error {
	_, err := b.conn.Exec(ctx, `TRUNCATE outbox`)
	return err
}

// creates measures the create rate and the CPU time of a create.
func (b *bencher) creates(ctx context.Context, base string, users []*account, arm time.Duration) (float64, costs, error) {
	before := usageOf(b.stack)
	rate, n, err := createRate(ctx, base, users, arm)
	if err != nil || n == 0 {
		return 0, nil, fmt.Errorf("%d creates: %w", n, err)
	}
	return rate, usageOf(b.stack).since(before, n), nil
}

// arms collects the rounds of one arm.
type arms struct{ ratios, rows, floors, costs, shares []float64 }

func (a *arms) add(ratio float64, floor, used costs) {
	a.shares = append(a.shares, floor.sum()/used.sum())
	a.ratios, a.floors, a.costs = append(a.ratios, ratio), append(a.floors, floor.sum()), append(a.costs, used.sum())
}

func (a *arms) print() {
	fmt.Printf("creates %.2f of the floor (aim 0.70), each with %.0f µs of CPU, the client's included; the floor's have %.0f (ratio %.2f)\n",
		median(a.ratios), median(a.costs), median(a.floors), median(a.shares))
}

// direct returns the address of the task API, past the gateway.
func direct(s *stack.Stack) (string, error) {
	for _, p := range s.Status() {
		if p.Name == taskAPI {
			return fmt.Sprintf("http://127.0.0.1:%d", p.Port), nil
		}
	}
	return "", fmt.Errorf("the stack has no %s", taskAPI)
}

// hold stops all parts but the task API and Postgres, and returns their names in the order of the stops.
func hold(s *stack.Stack) (held []string, err error) {
	for _, p := range s.Status() {
		if p.Name == taskAPI || p.Name == stack.Postgres {
			continue
		}
		held = append(held, p.Name)
	}
	slices.Reverse(held) // a part stops before those that it needs
	for _, name := range held {
		if err := s.Stop(name); err != nil {
			return nil, err
		}
	}
	return held, nil
}

// release starts the held parts and waits until the stack is ready.
func release(ctx context.Context, s *stack.Stack, held []string) error {
	for _, name := range slices.Backward(held) {
		if err := s.Start(name); err != nil {
			return err
		}
	}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+"/readyz", http.NoBody)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// waitForOutbox waits until the outbox is empty, so that the relay uses no CPU in the next round's floor.
func waitForOutbox(ctx context.Context, conn *pgx.Conn) error {
	begin := time.Now()
	var rows int
	if err := conn.QueryRow(ctx, `SELECT count(*) FROM outbox`).Scan(&rows); err != nil {
		return err
	}
	for left := rows; left > 0; {
		if err := conn.QueryRow(ctx, `SELECT count(*) FROM outbox`).Scan(&left); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	fmt.Printf("        backlog %d events, drained in %.1f s\n", rows, time.Since(begin).Seconds())
	return nil
}

// account is a registered user with its HTTP client.
type account struct {
	base, token string
	http        *http.Client
}

func register(ctx context.Context, base string) (*account, error) {
	u := &account{base: base, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	err := u.post(ctx, "/api/v1/auth/register", map[string]string{
		"email": uuid.NewString() + "@example.com", "password": "correct horse battery staple", "name": "Bench", "timezone": "UTC",
	}, &answer)
	u.token = answer.AccessToken
	return u, err
}

// created holds the fields of a created task that the bench reads.
type created struct {
	Seq       int64     `json:"seq"`
	UpdatedAt time.Time `json:"updated_at"`
}

func (u *account) create(ctx context.Context, title string) (created, error) {
	var task created
	return task, u.post(ctx, "/api/v1/tasks", map[string]any{"title": title, "priority": "high", "tags": []string{"bench"}}, &task)
}

func (u *account) post(ctx context.Context, path string, body, out any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.base+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+u.token)
	resp, err := u.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("POST %s: %d %s", path, resp.StatusCode, answer)
	}
	return json.Unmarshal(answer, out)
}
