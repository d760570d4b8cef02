package broker

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestOnlyWhatAllGroupsHaveReadIsTrimmed(t *testing.T) {
	t.Parallel()
	const nobody = -1
	b := bounds{keep: 100, max: 1000}
	for _, test := range []struct {
		name             string
		start, end, size int64
		read             int64
		want             int64
		unread           bool
	}{
		{"below what is kept anyway", 0, 10, 100, 10, 0, false},
		{"all read", 0, 40, 400, 40, 30, false},
		{"read up to before what is kept", 0, 40, 400, 12, 12, false},
		{"nothing read", 0, 40, 400, 0, 0, false},
		{"no group reads it", 0, 40, 400, nobody, 0, false},
		{"at the limit and nothing read", 0, 400, 4000, nobody, 300, true},
		{"at the limit and read beyond what must go", 0, 400, 4000, 350, 350, false},
		{"trimmed before", 1000, 1040, 400, 1040, 1030, false},
		{"a group that is behind what was trimmed before", 1000, 1040, 400, 5, 1000, false},
		{"one record larger than the limit stays", 0, 1, 5000, 1, 0, false},
	} {
		p := &kfake.PartitionInfo{LogStartOffset: test.start, HighWatermark: test.end, NumBytes: test.size}
		if to, unread := b.trimTo(p, test.read); to != test.want || unread != test.unread {
			t.Errorf("%s: trimTo = %d, unread %t, want %d, %t", test.name, to, unread, test.want, test.unread)
		}
	}
}

func TestTrimmingGivesDiskSpaceBackAndKeepsOffsetsOverKillNine(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dir := t.TempDir()
	topics := []events.Topic{{Name: "orders", Partitions: 1}}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(dir),
		kfake.BrokerConfigs(map[string]string{"log.segment.bytes": "100000"}))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	if err := createTopics(cluster, topics, slog.Default()); err != nil {
		t.Fatal(err)
	}
	cl := newClient(t, cluster.ListenAddrs()[0], kgo.ProducerBatchCompression(kgo.NoCompression()))
	produce := func(cl *kgo.Client) int64 {
		t.Helper()
		r, err := cl.ProduceSync(ctx, &kgo.Record{Topic: "orders", Value: bytes.Repeat([]byte("x"), 1000)}).First()
		if err != nil {
			t.Fatal(err)
		}
		return r.Offset
	}
	for range 1000 {
		produce(cl)
	}
	trimmer := trimmer{cluster: cluster, client: cl, topics: topics, log: slog.Default(), bounds: bounds{keep: 200_000, max: 10_000_000}}
	trim := func() int64 {
		t.Helper()
		if err := trimmer.trim(ctx); err != nil {
			t.Fatal(err)
		}
		return cluster.PartitionInfo("orders", 0).LogStartOffset
	}
	if got := trim(); got != 0 {
		t.Errorf("start while no group has read = %d, want 0", got)
	}
	commit(t, ctx, cl, "quick", 1000)
	commit(t, ctx, cl, "slow", 300)
	if got := trim(); got != 300 {
		t.Errorf("start while the slowest group has read 300 = %d, want 300", got)
	}
	commit(t, ctx, cl, "slow", 1000)
	if got := trim(); got < 750 || got > 850 { // 200,000 bytes are left
		t.Errorf("start after all was read = %d, want about 800", got)
	}
	var onDisk int64
	files, _ := filepath.Glob(filepath.Join(dir, partitionsDir, "*", "*"))
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			onDisk += info.Size()
		}
	}
	if onDisk > 400_000 {
		t.Errorf("bytes on disk = %d, want what is kept and at most a segment more", onDisk)
	}

	// A copy of the folder is what a broker that is killed now leaves.
	killed := t.TempDir()
	if err := os.CopyFS(killed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	addr, _ := start(t, Config{DataDir: killed, Topics: topics})
	if got := produce(newClient(t, addr)); got != 1000 {
		t.Errorf("offset of the first record after the restart = %d, want 1000", got)
	}
}

func TestNoCheckpointOfTheAuditLogIsTrimmed(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	topics := []events.Topic{{Name: events.TopicAuditCheckpoints, Partitions: 1}, {Name: "orders", Partitions: 1}}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	if err := createTopics(cluster, topics, slog.Default()); err != nil {
		t.Fatal(err)
	}
	cl := newClient(t, cluster.ListenAddrs()[0], kgo.ProducerBatchCompression(kgo.NoCompression()))
	for range 100 {
		for _, topic := range topics {
			if err := cl.ProduceSync(ctx, &kgo.Record{Topic: topic.Name, Value: bytes.Repeat([]byte("x"), 1000)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	trimmer := trimmer{cluster: cluster, client: cl, topics: topics, log: slog.Default(), bounds: bounds{keep: 1000, max: 10_000}}
	if err := trimmer.trim(ctx); err != nil {
		t.Fatal(err)
	}
	if got := cluster.PartitionInfo(events.TopicAuditCheckpoints, 0).LogStartOffset; got != 0 {
		t.Errorf("start of %s after trimming = %d, want 0", events.TopicAuditCheckpoints, got)
	}
	if got := cluster.PartitionInfo("orders", 0).LogStartOffset; got == 0 {
		t.Error("start of another topic after trimming = 0, want more: the bounds trimmed nothing")
	}
}

func commit(t *testing.T, ctx context.Context, cl *kgo.Client, group string, at int64) { //nolint:revive // t comes first in tests
	t.Helper()
	offsets := make(kadm.Offsets)
	offsets.AddOffset("orders", 0, at, -1)
	if err := kadm.NewClient(cl).CommitAllOffsets(ctx, group, offsets); err != nil {
		t.Fatal(err)
	}
}
