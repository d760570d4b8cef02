package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/taskwire/taskwire/local/stack"
)

// floorSchema creates the tables of the floor: one for rows of a task's size and one for rows of an event's, each with a
// primary key.
const floorSchema = `
	CREATE SCHEMA IF NOT EXISTS bench;
	DROP TABLE IF EXISTS bench.task, bench.outbox;
	CREATE TABLE bench.task (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid NOT NULL, title text NOT NULL, body text NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
	CREATE TABLE bench.outbox (id bigserial PRIMARY KEY, key text NOT NULL, payload text NOT NULL);`

// floorScript is the floor: two inserts in one transaction, in four round trips, as pgbench sends them by default.
const floorScript = `BEGIN;
INSERT INTO bench.task (user_id, title, body) VALUES ('00000000-0000-7000-8000-000000000001', 'a task of the bench', repeat('x', 300));
INSERT INTO bench.outbox (key, payload) VALUES ('00000000-0000-7000-8000-000000000001', repeat('x', 700));
COMMIT;
`

// rowUsers creates the users of one round of rowScript, one for each client.
const rowUsers = `
	WITH made AS (
		INSERT INTO users (id, email, name, timezone, role, password_hash, created_at, updated_at)
		SELECT CAST('00000000-0000-7000-8000-' || lpad(to_hex($1::int), 4, '0') || lpad(to_hex(n), 8, '0') AS uuid), $1 || '-' || n || '@bench.example.com', '', 'UTC', 'user', 'none', now(), now()
		FROM generate_series(0, $2::int - 1) AS n RETURNING id)
	INSERT INTO heads (user_id) SELECT id FROM made`

// rowScript writes the rows of a create with prepared statements in two round trips, in a transaction for each task. It shows the
// cost of the rows without group commit. Each pgbench client writes for a user of its own, so it knows the seq.
const rowScript = `\set i :i + 1
\set a random(1, 2000000000)
\set b random(1, 2000000000)
\startpipeline
BEGIN;
UPDATE heads h SET seq = h.seq + 1 FROM users u WHERE h.user_id = ('00000000-0000-7000-8000-' || lpad(to_hex(:round::int), 4, '0') || lpad(to_hex(:client_id::int), 8, '0'))::uuid AND u.id = h.user_id RETURNING h.seq, u.timezone;
\endpipeline
\startpipeline
INSERT INTO idempotency_keys (user_id, key, request_hash, answer) VALUES (('00000000-0000-7000-8000-' || lpad(to_hex(:round::int), 4, '0') || lpad(to_hex(:client_id::int), 8, '0'))::uuid, :a::text || '-' || :i::text, '\x00', repeat('x', 400));
INSERT INTO changes (user_id, seq, event_id, event_type, task_id, task_version, payload) VALUES (('00000000-0000-7000-8000-' || lpad(to_hex(:round::int), 4, '0') || lpad(to_hex(:client_id::int), 8, '0'))::uuid, :i::bigint, gen_random_uuid(), 'created', gen_random_uuid(), 1, repeat('x', 600));
INSERT INTO tasks (id, user_id, title, description, status, priority, tags, timezone, position, version, seq, created_at, updated_at, search)
	VALUES ((lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7' || substr(md5(:a::text || :b::text), 1, 19))::uuid,
		('00000000-0000-7000-8000-' || lpad(to_hex(:round::int), 4, '0') || lpad(to_hex(:client_id::int), 8, '0'))::uuid, 'a task of the bench', '', 'pending', 3, '["bench"]', 'UTC', :i::bigint, 1, :i::bigint, now(), now(),
		replace($$'u=pending' 'u!3' 'u.a':1A 'u.task':2A 'u.of':3A 'u.the':4A 'u.bench':5A,6B 'u#bench'$$, 'u', lpad(to_hex(:client_id::int), 8, '0'))::tsvector);
INSERT INTO outbox (bucket, topic, key, event_id, type, subject, trace_parent, data) VALUES
	(:client_id::int % 64, 'task-events', :client_id::text, gen_random_uuid(), 'TaskEvent', :client_id::text, '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', convert_to('"' || repeat('x', 648) || '"', 'UTF8')),
	(:client_id::int % 64, 'task-updates', :client_id::text, gen_random_uuid(), 'TaskUpdateEvent', :client_id::text, '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', convert_to('"' || repeat('x', 598) || '"', 'UTF8'));
COMMIT;
\endpipeline
`

// bencher runs pgbench on the database of the task API.
type bencher struct {
	path  string
	stack *stack.Stack
	conn  *pgx.Conn
	round int
}

func newBencher(ctx context.Context, s *stack.Stack) (*bencher, error) {
	path, err := findPgbench()
	if err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, s.PostgresURL("tasks"))
	if err != nil {
		return nil, err
	}
	_, err = conn.Exec(ctx, floorSchema)
	return &bencher{path: path, stack: s, conn: conn}, err
}

// floor measures floorScript.
func (b *bencher) floor(ctx context.Context, arm time.Duration) (float64, costs, error) {
	return b.run(ctx, floorScript, arm)
}

// rows measures rowScript with new users.
func (b *bencher) rows(ctx context.Context, arm time.Duration) (float64, costs, error) {
	b.round++
	if _, err := b.conn.Exec(ctx, rowUsers, b.round, connections); err != nil {
		return 0, nil, err
	}
	return b.run(ctx, rowScript, arm, "--protocol", "prepared", "--define", "i=0", "--define", fmt.Sprintf("round=%d", b.round))
}

var (
	tpsLine   = regexp.MustCompile(`(?m)^tps = ([0-9.]+)`)
	countLine = regexp.MustCompile(`(?m)^number of transactions actually processed: ([0-9]+)`)
)

func (b *bencher) run(ctx context.Context, text string, arm time.Duration, more ...string) (float64, costs, error) {
	script, err := os.CreateTemp("", "bench-*.sql")
	if err != nil {
		return 0, nil, err
	}
	defer os.Remove(script.Name())
	if _, err := script.WriteString(text); err != nil {
		return 0, nil, err
	}
	if err := script.Close(); err != nil {
		return 0, nil, err
	}
	args := append([]string{"--no-vacuum", "--client", strconv.Itoa(connections), "--jobs", "2",
		"--time", strconv.Itoa(int(arm.Seconds())), "--file", script.Name()}, more...)
	before := usageOf(b.stack)
	cmd := exec.CommandContext(ctx, b.path, append(args, b.stack.PostgresURL("tasks"))...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, nil, fmt.Errorf("pgbench: %w: %s", err, out)
	}
	after := usageOf(b.stack)
	tps, count := tpsLine.FindSubmatch(out), countLine.FindSubmatch(out)
	if tps == nil || count == nil {
		return 0, nil, fmt.Errorf("pgbench printed no tps or no count: %s", out)
	}
	rate, err := strconv.ParseFloat(string(tps[1]), 64)
	if err != nil {
		return 0, nil, err
	}
	n, err := strconv.ParseInt(string(count[1]), 10, 64)
	if err != nil || n == 0 {
		return 0, nil, fmt.Errorf("pgbench ran no transaction: %s", out)
	}
	used := after.since(before, n)
	own := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return rate, costs{stack.Postgres: used[stack.Postgres], "pgbench": float64(own.Microseconds()) / float64(n)}, nil
}

func findPgbench() (string, error) {
	if path, err := exec.LookPath("pgbench"); err == nil {
		return path, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench")
	if err != nil || len(found) == 0 {
		return "", errors.New("pgbench is not installed; it is in the postgresql package")
	}
	slices.Sort(found)
	return found[len(found)-1], nil
}
