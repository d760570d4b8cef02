package kafkausers

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

const adminPassword = "the administrator's"

// secured starts a broker with rights and an administrator. It returns the address and the administrator's client.
func secured(t *testing.T) (addr string, admin *kgo.Client) {
	t.Helper()
	options := []kfake.Opt{kfake.NumBrokers(1), kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("SCRAM-SHA-512", Admin, adminPassword)}
	for _, topic := range events.Topics() {
		options = append(options, kfake.SeedTopics(int32(topic.Partitions), topic.Name))
	}
	k, err := kfake.NewCluster(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	addr = k.ListenAddrs()[0]
	return addr, as(t, addr, Admin, adminPassword)
}

func as(t *testing.T, addr, user, password string) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.RetryTimeout(time.Second), kgo.DisableIdempotentWrite(), kgo.RecordRetries(0),
		kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha512Mechanism()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// generated returns a password for each user.
func generated() map[string]string {
	passwords := map[string]string{}
	for _, name := range Names() {
		passwords[name] = NewPassword()
	}
	return passwords
}

func write(t *testing.T, client *kgo.Client, topic string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("x")}).FirstErr()
}

func TestEnsureGivesUsersAndRights(t *testing.T) {
	t.Parallel()
	addr, admin := secured(t)
	passwords := generated()
	for range 2 { // it may run again
		if err := Ensure(t.Context(), admin, passwords); err != nil {
			t.Fatal(err)
		}
	}
	user := Of(apps.TaskAPI)
	api := as(t, addr, user, passwords[user])
	if err := write(t, api, events.TopicTaskEvents); err != nil {
		t.Errorf("the task API writes task-events: %v", err)
	}
	if err := write(t, api, events.TopicNotifications); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("the task API writes notifications: %v, want it refused", err)
	}
}

func TestEnsureChangesAPassword(t *testing.T) {
	t.Parallel()
	addr, admin := secured(t)
	before, after := generated(), generated()
	user := Of(apps.TaskAPI)
	if err := Ensure(t.Context(), admin, before); err != nil {
		t.Fatal(err)
	}
	open := as(t, addr, user, before[user])
	if err := write(t, open, events.TopicTaskEvents); err != nil {
		t.Fatal(err)
	}
	if err := Ensure(t.Context(), admin, after); err != nil {
		t.Fatal(err)
	}
	if err := write(t, open, events.TopicTaskEvents); err != nil {
		t.Errorf("an open connection after the change: %v", err)
	}
	if err := write(t, as(t, addr, user, after[user]), events.TopicTaskEvents); err != nil {
		t.Errorf("the new password: %v", err)
	}
	if err := write(t, as(t, addr, user, before[user]), events.TopicTaskEvents); err == nil {
		t.Error("the old password still opens a connection")
	}
}

func TestEnsureTakesAwayWhatIsNotInTheList(t *testing.T) {
	t.Parallel()
	addr, admin := secured(t)
	passwords := generated()
	user := Of(apps.Audit)
	give := func(principal string) {
		rights := kadm.NewACLs().Allow(principal).AllowHosts("*").Topics(events.TopicTaskUpdates).Operations(kadm.OpWrite).ResourcePatternType(kadm.ACLPatternLiteral)
		if _, err := kadm.NewClient(admin).CreateACLs(t.Context(), rights); err != nil {
			t.Fatal(err)
		}
	}
	give("User:" + user)
	give("User:another-application")
	if err := Ensure(t.Context(), admin, passwords); err != nil {
		t.Fatal(err)
	}
	if err := write(t, as(t, addr, user, passwords[user]), events.TopicTaskUpdates); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("a right that is not in the list: %v, want it refused", err)
	}
	described, err := kadm.NewClient(admin).DescribeACLs(t.Context(), kadm.NewACLs().Allow("User:another-application").AllowHosts("*").
		Topics(events.TopicTaskUpdates).Operations(kadm.OpWrite).ResourcePatternType(kadm.ACLPatternLiteral))
	if err != nil || len(described) != 1 || len(described[0].Described) != 1 {
		t.Errorf("the right of another application = %v, %v, want it kept", described, err)
	}
}

func TestEnsureNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	addr, admin := secured(t)
	passwords := generated()
	if err := Ensure(t.Context(), admin, passwords); err != nil {
		t.Fatal(err)
	}
	if err := Ensure(t.Context(), as(t, addr, Operator, passwords[Operator]), passwords); !errors.Is(err, ErrRefused) {
		t.Errorf("by a user without the right: %v, want %v", err, ErrRefused)
	}
	delete(passwords, Metrics)
	if err := Ensure(t.Context(), admin, passwords); err == nil || !slices.Contains([]string{"create the users of Kafka: there is no password for " + Metrics}, err.Error()) {
		t.Errorf("without a password: %v, want an error that names %s", err, Metrics)
	}
}
