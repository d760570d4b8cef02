package deadletters

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/pkg/events"
)

const dlq = "task-events.dlq"

// rig starts a broker with a dead-letter topic and its topic of 12 partitions, and adds records to the former.
func rig(t *testing.T, records ...string) (*Client, *kgo.Client, context.Context) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, dlq), kfake.SeedTopics(12, events.TopicTaskEvents))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	brokers := strings.Join(cluster.ListenAddrs(), ",")
	letters, err := Open(kafkaconn.Settings{Brokers: brokers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(letters.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.ConsumeTopics(events.TopicTaskEvents), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	for _, r := range records {
		if err := client.ProduceSync(ctx, &kgo.Record{Topic: dlq, Value: []byte(r)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	return letters, client, ctx
}

func letter(t *testing.T, id, original string) string {
	t.Helper()
	d := events.DeadLetter{EventID: id, Topic: events.TopicTaskEvents, Consumer: "audit", Reason: "no such user", FailedAt: time.Now(), Original: json.RawMessage(original)}
	raw, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return `{"specversion":"1.0","id":"x","data":` + string(raw) + `}`
}

func TestLettersAreListedWithForeignRecords(t *testing.T) {
	t.Parallel()
	letters, _, ctx := rig(t, letter(t, "1", `{"user_id":"u"}`), "no CloudEvent", letter(t, "3", `{"user_id":"u"}`))
	all, err := letters.List(ctx, dlq, 2)
	if err != nil || len(all) != 2 {
		t.Fatalf("List of 2: got %+v, %v", all, err)
	}
	if all[0].ID != dlq+":0:1" || all[0].Problem == "" || all[0].Raw != "no CloudEvent" {
		t.Errorf("a foreign record: got %+v", all[0])
	}
	if all[1].Letter.EventID != "3" || all[1].Problem != "" || all[1].Letter.Reason != "no such user" {
		t.Errorf("the last letter: got %+v", all[1])
	}
	for _, id := range []string{dlq + ":0:3", dlq + ":0:-1", dlq + ":1:0"} {
		if _, err := letters.Find(ctx, id); !errors.Is(err, ErrNotFound) {
			t.Errorf("Find(%s): got %v, want ErrNotFound", id, err)
		}
	}
	for _, id := range []string{"", "task-events:0:1", dlq, dlq + ":0:x"} {
		if _, err := letters.Find(ctx, id); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("Find(%q): got %v, want that it is not an id", id, err)
		}
	}
	if err := letters.Replay(ctx, all[0]); err == nil {
		t.Error("replay of a foreign record: got no error")
	}
}

// The test computes the partition as daprd's client does.
func TestAReplayedEventKeepsItsIDAndPartition(t *testing.T) {
	t.Parallel()
	letters, client, ctx := rig(t, letter(t, "7", `{"event_id":"7","user_id":"u-1"}`))
	l, err := letters.Find(ctx, dlq+":0:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := letters.Replay(ctx, l); err != nil {
		t.Fatal(err)
	}
	fetches := client.PollRecords(ctx, 1)
	if fetches.NumRecords() != 1 {
		t.Fatalf("got %d records, %v", fetches.NumRecords(), fetches.Err())
	}
	r := fetches.Records()[0]
	want := int32(fnv32a([]byte("u-1")))
	if want < 0 {
		want = -want
	}
	var ce struct {
		ID   string          `json:"id"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(r.Value, &ce); err != nil || ce.ID != "7" || string(ce.Data) != `{"event_id":"7","user_id":"u-1"}` {
		t.Errorf("got %s, %v, want the event with its id", r.Value, err)
	}
	if string(r.Key) != "u-1" || r.Partition != want%12 {
		t.Errorf("got key %s in partition %d, want u-1 in %d", r.Key, r.Partition, want%12)
	}
}
