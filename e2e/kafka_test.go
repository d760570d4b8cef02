package e2e

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/local/kafkausers"
	"github.com/taskwire/taskwire/local/stack"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// kafkaClient connects to the Kafka of a stack as its administrator.
func kafkaClient(t *testing.T, s *stack.Stack, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := s.Kafka(kafkausers.Admin).Client(opts...)
	must(t, err)
	t.Cleanup(client.Close)
	return client
}

// kafkaEnvironment returns the variables with which the operator's commands connect to the Kafka of a stack.
func kafkaEnvironment(s *stack.Stack) []string {
	at := s.Kafka(kafkausers.Operator)
	return append(at.Environment(), "KAFKA_BROKERS="+at.Brokers)
}

// needsUsers skips a test on brokers that ask for no password.
func needsUsers(t *testing.T) {
	t.Helper()
	if s := shared.Kafka(kafkausers.Admin); s.Username == "" {
		t.Skipf("the brokers at %s ask for no password", s.Brokers)
	}
}

// rights are what a user may do. Everything else must be refused.
type rights struct {
	reads, writes, groups []string
}

// userRights is written out, so that a change of the list in local/kafkausers is noticed. A group ends with * for a prefix.
func userRights() map[string]rights {
	var letters, originals []string
	for _, topic := range events.Topics() {
		switch {
		case events.IsDeadLetterTopic(topic.Name):
			letters = append(letters, topic.Name)
		case topic.Name != "audit-checkpoints": // it has no dead letters, so nobody replays one
			originals = append(originals, topic.Name)
		}
	}
	return map[string]rights{
		kafkausers.Of(apps.TaskAPI): {
			reads:  []string{"account-events"},
			writes: []string{"task-events", "task-updates", "reminders", "account-events", "account-events.dlq"},
			groups: []string{kafkausers.FanoutGroups + "task-api-*"},
		},
		kafkausers.Of(apps.RecurringTask): {
			reads: []string{"task-events"}, writes: []string{"task-events.dlq"}, groups: []string{"recurring-task"},
		},
		kafkausers.Of(apps.Audit): {
			reads: []string{"task-events", "account-events"}, writes: []string{"task-events.dlq", "account-events.dlq"},
			groups: []string{"audit", kafkausers.FanoutGroups + "audit-*"},
		},
		kafkausers.Of(apps.AuditSigner): {writes: []string{"audit-checkpoints"}},
		kafkausers.Of(apps.Notification): {
			reads: []string{"reminders", "account-events"}, writes: []string{"notifications", "reminders.dlq", "account-events.dlq"},
			groups: []string{"notification", kafkausers.FanoutGroups + "notification-*"},
		},
		kafkausers.Of(apps.WebSocket): {
			reads:  []string{"task-updates", "notifications", "account-events"},
			writes: []string{"task-updates.dlq", "notifications.dlq", "account-events.dlq"},
			groups: []string{kafkausers.FanoutGroups + "websocket-*"},
		},
		kafkausers.Operator:   {reads: letters, writes: originals},
		kafkausers.Metrics:    {},
		kafkausers.Autoscaler: {},
	}
}

func TestAKafkaUserMayDoWhatItsAppDoesAndNoMore(t *testing.T) {
	usesShared(t)
	needsUsers(t)
	all := userRights()
	for _, u := range kafkausers.All() {
		t.Run(u.Name, func(t *testing.T) {
			may, listed := all[u.Name]
			if !listed {
				t.Fatalf("%s is in the list of users and not in this test", u.Name)
			}
			at := shared.Kafka(u.Name)
			for _, topic := range events.Topics() {
				if err := fetch(t, at, topic.Name); isRefused(err) == slices.Contains(may.reads, topic.Name) || err != nil && !isRefused(err) {
					t.Errorf("read %s: %v, want it allowed: %v", topic.Name, err, slices.Contains(may.reads, topic.Name))
				}
				if slices.Contains(may.writes, topic.Name) {
					continue // a record would stay in the topic; the other tests of this package write all of them
				}
				if err := produce(t, at, topic.Name); !isRefused(err) {
					t.Errorf("write %s: %v, want it refused", topic.Name, err)
				}
			}
			for _, group := range []string{"recurring-task", "audit", "notification", "another",
				kafkausers.FanoutGroups + "task-api-x", kafkausers.FanoutGroups + "audit-x", kafkausers.FanoutGroups + "notification-x",
				kafkausers.FanoutGroups + "websocket-x"} {
				want := slices.ContainsFunc(may.groups, func(g string) bool {
					prefix, isPrefix := strings.CutSuffix(g, "*")
					return g == group || isPrefix && strings.HasPrefix(group, prefix)
				})
				ask := join // a member that is let in would stay
				if want {
					ask = leave
				}
				if err := ask(t, at, group); isRefused(err) == want {
					t.Errorf("group %s: %v, want it allowed: %v", group, err, want)
				}
			}
			administers(t, at)
		})
	}
}

// administers tries to change topics, users and rights.
func administers(t *testing.T, at kafkaconn.Settings) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	client, err := at.Client()
	must(t, err)
	defer client.Close()
	admin := kadm.NewClient(client)
	if _, err := admin.CreateTopic(ctx, 1, 1, nil, "taken-over"); !isRefused(err) {
		t.Errorf("create a topic: %v, want it refused", err)
	}
	if deleted, err := admin.DeleteTopic(ctx, events.TopicNotifications); !isRefused(errors.Join(err, deleted.Err)) {
		t.Errorf("delete a topic: %v, want it refused", errors.Join(err, deleted.Err))
	}
	users, err := admin.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{{User: "stranger", Mechanism: kadm.ScramSha512, Iterations: 4096, Password: "x"}})
	if !isRefused(errors.Join(err, users.Error())) {
		t.Errorf("create a user: %v, want it refused", errors.Join(err, users.Error()))
	}
	if err := kafkausers.Grant(ctx, client); !errors.Is(err, kafkausers.ErrRefused) {
		t.Errorf("change rights: %v, want it refused", err)
	}
}

func TestKafkaRefusesAStranger(t *testing.T) {
	usesShared(t)
	needsUsers(t)
	at := kafkaconn.Settings{Brokers: shared.Brokers()}
	for name, as := range map[string]kafkaconn.Settings{
		"without a user":        at,
		"with a wrong password": at.As(kafkausers.Of(apps.TaskAPI), "a guess"),
		"as the administrator":  at.As(kafkausers.Admin, "admin"),
	} {
		if err := fetch(t, as, events.TopicTaskUpdates); err == nil {
			t.Errorf("%s: reads everybody's tasks", name)
		}
		if err := produce(t, as, events.TopicTaskEvents); err == nil {
			t.Errorf("%s: forges an event", name)
		}
	}
}

// TestTheOperatorsCommandsFindTheLocalBroker runs a command with nothing but the data folder.
func TestTheOperatorsCommandsFindTheLocalBroker(t *testing.T) {
	usesShared(t)
	needsOwnBroker(t, "the command would look for a broker of the stack")
	root, err := repoRoot()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, ".taskwire", "bin", "taskwire"), "consumers", "--data", dataOf(shared))
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "KAFKA_") })
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "recurring-task") {
		t.Errorf("taskwire consumers --data: %v\n%s", err, out)
	}
}

// dataOf returns the data folder of a stack.
func dataOf(s *stack.Stack) string { return filepath.Dir(filepath.Dir(s.LogPath(stack.Broker))) }

// isRefused reports whether Kafka said that a right is missing.
func isRefused(err error) bool {
	return errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.GroupAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed)
}

// tryFor bounds a request that may never be answered, because its client is not let in.
const tryFor = 5 * time.Second

func try(t *testing.T, at kafkaconn.Settings, opts ...kgo.Opt) (context.Context, *kgo.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), tryFor)
	t.Cleanup(cancel)
	client, err := at.Client(append(opts, kgo.RetryTimeout(time.Second), kgo.RecordDeliveryTimeout(tryFor))...)
	must(t, err)
	t.Cleanup(client.Close)
	return ctx, client
}

// fetch asks for the first record of a topic, by the topic's name: later versions ask by an id, which only a reader learns.
func fetch(t *testing.T, at kafkaconn.Settings, topic string) error {
	t.Helper()
	ctx, client := try(t, at, kgo.MaxVersions(kversion.V2_8_0()))
	partition := kmsg.NewFetchRequestTopicPartition()
	partition.PartitionMaxBytes = 1
	of := kmsg.NewFetchRequestTopic()
	of.Topic, of.Partitions = topic, []kmsg.FetchRequestTopicPartition{partition}
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes, req.Topics = 1, []kmsg.FetchRequestTopic{of}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); isRefused(err) {
				return err
			}
		}
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

func produce(t *testing.T, at kafkaconn.Settings, topic string) error {
	t.Helper()
	ctx, client := try(t, at, kgo.DisableIdempotentWrite(), kgo.RecordRetries(0))
	return client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte(`{"forged":true}`)}).FirstErr()
}

// leave asks a group to forget a member that it does not have, which needs the right to be a member.
func leave(t *testing.T, at kafkaconn.Settings, group string) error {
	t.Helper()
	ctx, client := try(t, at)
	member := kmsg.NewLeaveGroupRequestMember()
	member.MemberID = "nobody"
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group, req.Members = group, []kmsg.LeaveGroupRequestMember{member}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

// join asks to become a member of a group.
func join(t *testing.T, at kafkaconn.Settings, group string) error {
	t.Helper()
	ctx, client := try(t, at)
	protocol := kmsg.NewJoinGroupRequestProtocol()
	protocol.Name = "range"
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.ProtocolType, req.Protocols = group, "consumer", []kmsg.JoinGroupRequestProtocol{protocol}
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 6_000, 6_000
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

// TestOthersMayNotReadWhatTheBrokerKeeps looks at the files of the running broker.
func TestOthersMayNotReadWhatTheBrokerKeeps(t *testing.T) {
	usesShared(t)
	if os.Getenv(jarsVariable) != "" || os.Getenv(brokersVariable) != "" {
		t.Skip("needs the broker of `make up`")
	}
	data := dataOf(shared)
	for _, dir := range []string{filepath.Join(data, "broker"), stack.SecretsDir(data)} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // a temporary file
			}
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err == nil && info.Mode()&fs.ModeSymlink == 0 && info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s has mode %v", path, info.Mode())
			}
			return nil
		})
		must(t, err)
	}
}

// TestAServiceDoesNotGetTheKafkaPassword looks at the environment and the secrets of each service.
func TestAServiceDoesNotGetTheKafkaPassword(t *testing.T) {
	usesShared(t)
	needsUsers(t)
	data := dataOf(shared)
	for _, part := range shared.Status() {
		if !slices.Contains(apps.All(), part.Name) {
			continue
		}
		password := shared.Kafka(kafkausers.Of(part.Name)).Password
		environment, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(part.PID), "environ"))
		if errors.Is(err, fs.ErrNotExist) {
			t.Skip("needs /proc")
		}
		must(t, err)
		secrets, err := os.ReadFile(filepath.Join(stack.SecretsDir(data), part.Name+".json"))
		must(t, err)
		if strings.Contains(string(environment)+string(secrets), password) {
			t.Errorf("%s has the password of its sidecar", part.Name)
		}
		addr, token := shared.SidecarHTTP(part.Name)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/v1.0/secrets/kubernetes-secrets/kafka", http.NoBody)
		must(t, err)
		req.Header.Set("dapr-api-token", token)
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s asks its sidecar for the password: status %d, want 403", part.Name, resp.StatusCode)
		}
	}
}
