package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/taskwire/taskwire/cmd/taskwire/stack"
)

// connections is how many clients write at the same time, over HTTP and in pgbench alike.
const connections = 32

// floorSchema are the tables of the floor: one row of a task's size and one of an event's, with a key each.
const floorSchema = `
	CREATE SCHEMA IF NOT EXISTS bench;
	DROP TABLE IF EXISTS bench.task, bench.outbox;
	CREATE TABLE bench.task (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid NOT NULL, title text NOT NULL, body text NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
	CREATE TABLE bench.outbox (id bigserial PRIMARY KEY, key text NOT NULL, payload text NOT NULL);`

const floorScript = `BEGIN;
INSERT INTO bench.task (user_id, title, body) VALUES ('00000000-0000-7000-8000-000000000001', 'a task of the bench', repeat('x', 300));
INSERT INTO bench.outbox (key, payload) VALUES ('00000000-0000-7000-8000-000000000001', repeat('x', 700));
COMMIT;
`

func benchCreate(ctx context.Context, s *stack.Stack, rounds int, arm time.Duration) error {
	pgbench, err := findPgbench()
	if err != nil {
		return err
	}
	url := s.PostgresURL("tasks")
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, floorSchema); err != nil {
		return err
	}
	users := make([]*account, connections)
	for i := range users {
		if users[i], err = register(ctx, s.URL()); err != nil {
			return err
		}
	}
	fmt.Printf("create, %d connections, %d rounds of %s (pgbench two-insert floor beside it)\n", connections, rounds, arm)
	var ratios []float64
	for range rounds {
		floor, err := runPgbench(ctx, pgbench, url, arm)
		if err != nil {
			return err
		}
		rate, err := createRate(ctx, users, arm)
		if err != nil {
			return err
		}
		ratios = append(ratios, rate/floor)
		fmt.Printf("  floor %7.0f/s   create %7.0f/s   ratio %.2f\n", floor, rate, rate/floor)
		if err := waitForOutbox(ctx, conn); err != nil {
			return err
		}
	}
	fmt.Printf("  median ratio %.2f (aim 0.70)\n", median(ratios))
	return nil
}

// createRate creates tasks over all accounts, one connection each, until the arm is over.
func createRate(ctx context.Context, users []*account, arm time.Duration) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, arm)
	defer cancel()
	var done atomic.Int64
	var failed atomic.Pointer[error]
	begin := time.Now()
	var wg sync.WaitGroup
	for _, u := range users {
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, err := u.create(ctx, "a task of the bench"); err == nil {
					done.Add(1)
				} else if ctx.Err() == nil {
					failed.Store(&err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(done.Load()) / time.Since(begin).Seconds(), nil
}

// waitForOutbox lets the relay finish, so that the next round's floor does not share the machine with it.
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

var tpsLine = regexp.MustCompile(`(?m)^tps = ([0-9.]+)`)

func runPgbench(ctx context.Context, pgbench, url string, arm time.Duration) (float64, error) {
	script, err := os.CreateTemp("", "floor-*.sql")
	if err != nil {
		return 0, err
	}
	defer os.Remove(script.Name())
	if _, err := script.WriteString(floorScript); err != nil {
		return 0, err
	}
	if err := script.Close(); err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, pgbench, "--no-vacuum", "--client", strconv.Itoa(connections), "--jobs", "2",
		"--time", strconv.Itoa(int(arm.Seconds())), "--file", script.Name(), url)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("pgbench: %w: %s", err, out)
	}
	m := tpsLine.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("pgbench printed no tps: %s", out)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}

func findPgbench() (string, error) {
	if path, err := exec.LookPath("pgbench"); err == nil {
		return path, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench")
	if err != nil || len(found) == 0 {
		return "", errors.New("pgbench is not on this machine; it comes with the postgresql package")
	}
	slices.Sort(found)
	return found[len(found)-1], nil
}

// account is one registered user and its client.
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

// created is what the bench reads of a task's answer.
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
