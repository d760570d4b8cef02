package intruder

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// tryPostgres connects with the names of the roles and passwords that people guess.
func (p Plan) tryPostgres(ctx context.Context, port Port, report func(string, ...any)) {
	for _, role := range []string{"postgres", "taskwire", "tasks_app", "tasks_owner", "audit_app", "audit_owner", "notifications_app", "dapr_state"} {
		for _, password := range []string{"", "postgres", role} {
			cfg, err := pgx.ParseConfig(fmt.Sprintf("postgres://%s@127.0.0.1:%d/postgres?sslmode=disable&connect_timeout=3", role, port.Number))
			if err != nil {
				report("Postgres: %v", err)
				return
			}
			cfg.Password = password
			attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
			conn, err := pgx.ConnectConfig(attempt, cfg)
			if err == nil {
				report("a session of Postgres as %s", role)
				_ = conn.Close(attempt)
			}
			silent := attempt.Err() != nil
			cancel()
			if silent {
				return // it does not speak the protocol
			}
		}
	}
}

// tryKafka asks the broker for its topics, writes to one and reads one, without a user.
func (p Plan) tryKafka(ctx context.Context, port Port, report func(string, ...any)) {
	client, err := kgo.NewClient(kgo.SeedBrokers(fmt.Sprintf("127.0.0.1:%d", port.Number)), kgo.RequestRetries(0),
		kgo.RetryTimeout(time.Second), kgo.RecordRetries(0), kgo.ConsumeTopics("task-updates"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		report("Kafka: %v", err)
		return
	}
	defer client.Close()
	attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	if resp, err := kmsg.NewPtrMetadataRequest().RequestWith(attempt, client); err == nil && len(resp.Topics) > 0 {
		report("the list of %d topics", len(resp.Topics))
	}
	if err := client.ProduceSync(attempt, &kgo.Record{Topic: "task-events", Value: []byte("{}")}).FirstErr(); err == nil {
		report("an event is written")
	}
	if n := client.PollFetches(attempt).NumRecords(); n > 0 {
		report("%d events are read", n)
	}
}
