package components_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/testkit/daprtest"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestAppsPublishOnlyToTheirTopics(t *testing.T) {
	t.Parallel()
	k := daprtest.NewKafka(t)
	publishable := func(t *testing.T, app string, changes ...daprtest.Change) []string {
		t.Helper()
		s := sidecar(t, k, app, daprtest.NewApp(t, nil), append(changes, noDatabaseOf(app)...)...)
		s.WaitReady(t)
		var topics []string
		for _, topic := range events.Topics() {
			switch err := s.Publish(t, topic.Name, `{}`); {
			case err == nil:
				topics = append(topics, topic.Name)
			case !strings.Contains(err.Error(), "is not allowed"):
				t.Fatalf("publish to %s = %v", topic.Name, err)
			}
		}
		return topics
	}
	for app, want := range map[string][]string{
		"task-api":       {"task-events", "task-updates", "reminders", "account-events"},
		"notification":   {"notifications", "reminders.dlq"},
		"recurring-task": {"task-events.dlq"},
		"audit":          {"task-events.dlq", "account-events.dlq"},
		"audit-signer":   {"audit-checkpoints"},
		"websocket":      {"task-updates.dlq", "notifications.dlq"},
	} {
		t.Run(app, func(t *testing.T) {
			t.Parallel()
			if got := publishable(t, app); !slices.Equal(got, want) {
				t.Errorf("%s publishes to %v, want %v", app, got, want)
			}
		})
	}
	t.Run("without scopes", func(t *testing.T) {
		t.Parallel()
		got := publishable(t, "audit", daprtest.WithoutSetting("kafka-pubsub", "publishingScopes"), daprtest.WithoutSetting("kafka-pubsub", "protectedTopics"))
		if !slices.Contains(got, "task-events") {
			t.Errorf("without scopes audit publishes to %v: the lines are no longer needed", got)
		}
	})
}

// noDatabaseOf is noDatabase for the app that has a state store.
func noDatabaseOf(app string) []daprtest.Change {
	if app == "recurring-task" {
		return []daprtest.Change{noDatabase}
	}
	return nil
}

func TestAnAppWithoutAScopeSubscribesToNothing(t *testing.T) {
	t.Parallel()
	// The task API has no entry in subscriptionScopes, so a subscription that is declared for it must fail.
	stray := daprtest.WithDocument("subscription-stray", `
apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata: {name: stray}
spec: {pubsubname: kafka-pubsub, topic: notifications, routes: {default: /events/notifications}}
`)
	run := func(t *testing.T, changes ...daprtest.Change) (*daprtest.App, *daprtest.Sidecar) {
		k := daprtest.NewKafka(t)
		k.Put(t, "notifications", 0, "e")
		app := daprtest.NewApp(t, nil)
		return app, sidecar(t, k, "task-api", app, append(changes, stray)...)
	}
	t.Run("as rendered", func(t *testing.T) {
		t.Parallel()
		app, s := run(t)
		waitLog(t, s, "subscription to topic 'notifications' on pubsub 'kafka-pubsub' is not allowed", 1)
		if got := app.Delivered(); len(got) > 0 {
			t.Errorf("deliveries = %v, want none", got)
		}
	})
	t.Run("without protectedTopics", func(t *testing.T) {
		t.Parallel()
		app, _ := run(t, daprtest.WithoutSetting("kafka-pubsub", "protectedTopics"))
		app.WaitFor(t, "e")
	})
}

func TestAMalformedRecordGoesToTheDeadLetterTopic(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, changes ...daprtest.Change) (*daprtest.Kafka, *daprtest.App, *daprtest.Sidecar) {
		k := daprtest.NewKafka(t)
		app := daprtest.NewApp(t, nil)
		s := sidecar(t, k, "audit", app, changes...)
		k.Produce(t, &kgo.Record{Topic: "task-events", Value: []byte("not JSON")})
		k.Put(t, "task-events", 0, "next")
		return k, app, s
	}
	t.Run("as rendered", func(t *testing.T) {
		t.Parallel()
		k, app, _ := run(t)
		app.WaitFor(t, "next")
		if got := k.Records(t, "task-events.dlq"); len(got) != 1 || string(got[0].Value) != "not JSON" {
			t.Errorf("dead letters = %v, want the one that is not JSON", got)
		}
	})
	blocked := func(t *testing.T, text string, changes ...daprtest.Change) {
		t.Helper()
		_, app, s := run(t, changes...)
		waitLog(t, s, text, 2) // attempts
		if got := app.Delivered(); len(got) > 0 {
			t.Errorf("deliveries = %v, want none: the line is no longer needed", got)
		}
	}
	t.Run("without deadLetterTopic", func(t *testing.T) {
		t.Parallel()
		blocked(t, "error deserializing cloud event", daprtest.Without("subscription-task-events", "deadLetterTopic"))
	})
	t.Run("without a scope for it", func(t *testing.T) {
		t.Parallel()
		blocked(t, "error sending message to dead letter", daprtest.WithSetting("kafka-pubsub", "publishingScopes", "task-api=task-events"))
	})
}

func TestAnAppReadsItsOwnSecretOnly(t *testing.T) {
	t.Parallel()
	k := daprtest.NewKafka(t)
	read := func(t *testing.T, secret string, changes ...daprtest.Change) int {
		t.Helper()
		s := daprtest.Start(t, daprtest.Options{App: "recurring-task", Port: daprtest.NewApp(t, nil).Port, Brokers: k.Addr,
			Secrets: `{"recurring-task":{"a":"b"},"statestore":{"connection-string":"c"}}`, Changes: append(changes, noDatabase)})
		s.WaitReady(t)
		status, _, err := s.Call(t, http.MethodGet, "/v1.0/secrets/kubernetes-secrets/"+secret, nil)
		if err != nil {
			t.Fatal(err)
		}
		return status
	}
	if got := read(t, "recurring-task"); got != http.StatusOK {
		t.Errorf("status for the app's own secret = %d, want 200", got)
	}
	for _, ofTheSidecar := range []string{"statestore", "kafka"} {
		if got := read(t, ofTheSidecar); got != http.StatusForbidden {
			t.Errorf("status for the secret %s = %d, want 403", ofTheSidecar, got)
		}
	}
	if got := read(t, "statestore", daprtest.Without("config", "secrets")); got != http.StatusOK {
		t.Errorf("status without secret scopes = %d, want 200: the lines are no longer needed", got)
	}
}
