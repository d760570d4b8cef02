package provision

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/taskwire/taskwire/local/kafkaconn"
	localpg "github.com/taskwire/taskwire/local/postgres"
	"github.com/taskwire/taskwire/pkg/events"
)

func startPostgres(t *testing.T) string {
	t.Helper()
	s, err := localpg.Start(t.Context(), localpg.Config{DataDir: t.TempDir(), Progress: func(string) {}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil { // the test's own context has ended
			t.Error(err)
		}
	})
	return s.URL()
}

func query[T any](t *testing.T, url, sql string, args ...any) (T, error) {
	t.Helper()
	var v T
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		return v, err
	}
	defer conn.Close(t.Context())
	return v, conn.QueryRow(t.Context(), sql, args...).Scan(&v)
}

func TestDatabasesAreSeparateAndCanBeMadeAgain(t *testing.T) {
	t.Parallel()
	admin := startPostgres(t)
	secret := "first' \\ %s"
	password := func(role string) (string, error) { return secret + role, nil }
	for _, secret = range []string{secret, secret, "second"} {
		if err := EnsureDatabases(t.Context(), admin, password); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range Databases() {
		for _, role := range []string{d.Owner, d.App} {
			if role == "" {
				continue
			}
			url, err := URL(admin, d.Name, role, "second"+role)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := query[string](t, url, `SELECT current_user::text`); err != nil || got != role {
				t.Errorf("%s as %s: got %q, %v", d.Name, role, got, err)
			}
		}
	}
	url, _ := URL(admin, "audit", "tasks_app", "secondtasks_app")
	if _, err := query[int](t, url, `SELECT 1`); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("tasks_app in the audit database: got %v, want permission denied", err)
	}
}

// TestTheRoleOfAServiceCanMakeNothing has a database whose schema every role may write, as before Postgres 15.
func TestTheRoleOfAServiceCanMakeNothing(t *testing.T) {
	t.Parallel()
	admin := startPostgres(t)
	password := func(role string) (string, error) { return role, nil }
	if err := EnsureDatabases(t.Context(), admin, password); err != nil {
		t.Fatal(err)
	}
	for _, d := range Databases() {
		if d.App == "" {
			continue
		}
		u, err := url.Parse(admin)
		if err != nil {
			t.Fatal(err)
		}
		u.Path = "/" + d.Name
		run(t, u.String(), `GRANT CREATE ON SCHEMA public TO PUBLIC`)
		if err := EnsureDatabases(t.Context(), admin, password); err != nil {
			t.Fatal(err)
		}
		app, _ := URL(admin, d.Name, d.App, d.App)
		owner, _ := URL(admin, d.Name, d.Owner, d.Owner)
		for _, sql := range []string{
			`CREATE TABLE t (x int)`, `CREATE TEMPORARY TABLE t (x int)`, `CREATE SCHEMA s`, `CREATE ROLE r`, `CREATE DATABASE d`,
			`SET ROLE ` + d.Owner, `ALTER ROLE ` + d.Owner + ` PASSWORD 'x'`, `DROP DATABASE ` + d.Name,
			`CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'`, `ALTER DATABASE ` + d.Name + ` OWNER TO ` + d.App,
		} {
			var refused *pgconn.PgError
			if err := try(t, app, sql); !errors.As(err, &refused) || refused.Code != "42501" {
				t.Errorf("%s as %s: got %v, want 42501", sql, d.App, err)
			}
		}
		run(t, owner, `CREATE TABLE made_by_its_owner (x int)`)
	}
}

// try runs a statement and returns its error.
func try(t *testing.T, url, sql string) error {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), sql)
	return err
}

func run(t *testing.T, url, sql string) {
	t.Helper()
	if err := try(t, url, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestARoleWithoutTheRightsGetsAClearError(t *testing.T) {
	t.Parallel()
	admin := startPostgres(t)
	conn, err := pgx.Connect(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), `CREATE ROLE poor LOGIN PASSWORD 'p'; CREATE ROLE maker LOGIN CREATEDB CREATEROLE PASSWORD 'p'`); err != nil {
		t.Fatal(err)
	}
	password := func(string) (string, error) { return "p", nil }
	poor, _ := URL(admin, "postgres", "poor", "p")
	if err := EnsureDatabases(t.Context(), poor, password); err == nil || !strings.Contains(err.Error(), "CREATEROLE") {
		t.Errorf("a role without rights: got %v", err)
	}
	maker, _ := URL(admin, "postgres", "maker", "p")
	for range 2 {
		if err := EnsureDatabases(t.Context(), maker, password); err != nil {
			t.Errorf("CREATEROLE and CREATEDB: %v", err)
		}
	}
}

// TestTopicsGetTheirReplicasAndRetention reads the settings back: three replicas where there are as many brokers, and a
// retention that ends before the consumers forget.
func TestTopicsGetTheirReplicasAndRetention(t *testing.T) {
	for brokers, want := range map[int]struct{ replicas, inSync string }{1: {"1", "1"}, 2: {"2", "1"}, 4: {"3", "2"}} {
		cluster, err := kfake.NewCluster(kfake.NumBrokers(brokers), kfake.DefaultNumPartitions(1))
		if err != nil {
			t.Fatal(err)
		}
		defer cluster.Close()
		if err := EnsureTopics(t.Context(), kafkaconn.Settings{Brokers: strings.Join(cluster.ListenAddrs(), ",")}, events.Topics(), func(w string) { t.Error(w) }); err != nil {
			t.Fatal(err)
		}
		client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		admin := kadm.NewClient(client)
		have, err := admin.ListTopics(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for topic, retention := range map[string]string{events.TopicTaskEvents: "604800000", "task-events.dlq": "2592000000"} {
			if got := strconv.Itoa(have[topic].Partitions.NumReplicas()); got != want.replicas {
				t.Errorf("%d brokers: %s has %s replicas, want %s", brokers, topic, got, want.replicas)
			}
			configs, err := admin.DescribeTopicConfigs(t.Context(), topic)
			if err != nil || len(configs) != 1 {
				t.Fatalf("settings of %s: %v, %v", topic, configs, err)
			}
			got := map[string]string{}
			for _, c := range configs[0].Configs {
				got[c.Key] = c.MaybeValue()
			}
			for key, value := range map[string]string{"retention.ms": retention, "segment.ms": "21600000", "min.insync.replicas": want.inSync, "cleanup.policy": "delete"} {
				if got[key] != value {
					t.Errorf("%d brokers: %s has %s %q, want %q", brokers, topic, key, got[key], value)
				}
			}
		}
	}
}

// TestATopicWithTooFewReplicasIsReported has a topic that was made while the cluster had one broker.
func TestATopicWithTooFewReplicasIsReported(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, topic := range events.Topics() {
		replicas := int16(3)
		if topic.Name == events.TopicReminders {
			replicas = 1
		}
		if _, err := kadm.NewClient(client).CreateTopic(t.Context(), int32(topic.Partitions), replicas, nil, topic.Name); err != nil {
			t.Fatal(err)
		}
	}
	var warnings []string
	if err := EnsureTopics(t.Context(), kafkaconn.Settings{Brokers: strings.Join(cluster.ListenAddrs(), ",")}, events.Topics(), func(w string) { warnings = append(warnings, w) }); err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "reminders has 1 of 3 replicas") {
		t.Errorf("warnings: got %q, want one about the replicas of %s", warnings, events.TopicReminders)
	}
}

// TestTopicsWaitForAStartingCluster has a cluster that refuses topics with Kafka's error until its brokers have joined.
func TestTopicsWaitForAStartingCluster(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	var refusals atomic.Int64
	refusals.Store(3)
	cluster.ControlKey(int16(kmsg.CreateTopics), func(req kmsg.Request) (kmsg.Response, error, bool) {
		if refusals.Load() == 0 {
			return nil, nil, false
		}
		refusals.Add(-1)
		cluster.KeepControl()
		resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
		for _, topic := range req.(*kmsg.CreateTopicsRequest).Topics {
			refused := kmsg.NewCreateTopicsResponseTopic()
			refused.Topic, refused.ErrorCode = topic.Topic, kerr.InvalidReplicationFactor.Code
			resp.Topics = append(resp.Topics, refused)
		}
		return resp, nil, true
	})
	if err := EnsureTopics(t.Context(), kafkaconn.Settings{Brokers: strings.Join(cluster.ListenAddrs(), ",")}, events.Topics(), func(w string) { t.Error(w) }); err != nil {
		t.Errorf("a cluster that is starting: %v", err)
	}
	if left := refusals.Load(); left != 0 {
		t.Errorf("%d refusals are left: nothing was tested", left)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	refusals.Store(1 << 30)
	err = EnsureTopics(ctx, kafkaconn.Settings{Brokers: strings.Join(cluster.ListenAddrs(), ",")}, []events.Topic{{Name: "another", Partitions: 1}}, func(string) {})
	if !errors.Is(err, kerr.InvalidReplicationFactor) || !strings.Contains(err.Error(), "another") {
		t.Errorf("a cluster that never is ready: got %v, want what it said and of which topic", err)
	}
}

func TestTopicsAreMadeOnceAndKeepTheirPartitions(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, events.TopicReminders))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	brokers := kafkaconn.Settings{Brokers: strings.Join(cluster.ListenAddrs(), ",")}
	var warnings []string
	for range 2 {
		warnings = nil
		if err := EnsureTopics(t.Context(), brokers, events.Topics(), func(w string) { warnings = append(warnings, w) }); err != nil {
			t.Fatal(err)
		}
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], events.TopicReminders) {
		t.Errorf("warnings: got %q, want one about %s", warnings, events.TopicReminders)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	have, err := kadm.NewClient(client).ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range events.Topics() {
		want := topic.Partitions
		if topic.Name == events.TopicReminders {
			want = 1
		}
		if got := len(have[topic.Name].Partitions); got != want {
			t.Errorf("%s: %d partitions, want %d", topic.Name, got, want)
		}
	}
}

func TestPasswordsComeFromTheAddressesAndAreNotShown(t *testing.T) {
	write := func(content string) string {
		t.Helper()
		file := filepath.Join(t.TempDir(), "address")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	got, err := Passwords([]string{write("postgres://audit_app:S3CRET@db/audit\n"), write("postgres://audit_owner:OTHER@db/audit")})
	if err != nil || got["audit_app"] != "S3CRET" || got["audit_owner"] != "OTHER" {
		t.Errorf("got %d passwords, %v", len(got), err)
	}
	for _, content := range []string{"", "S3CRET", "postgres://S3CRET@db/audit", "postgres://db/S3CRET", "://u:S3CRET"} {
		if _, err := Passwords([]string{write(content)}); err == nil || strings.Contains(err.Error(), "S3CRET") {
			t.Errorf("%q: got %v, want an error without the address", content, err)
		}
	}
	if _, err := Passwords([]string{filepath.Join(t.TempDir(), "none")}); err == nil {
		t.Error("a file that is not there: got no error")
	}
}
