// Package broker is the local Kafka-protocol broker: franz-go's kfake in a process of its own, with what kfake lacks to keep
// data safely.
//
// It promises:
//
//   - Records and group offsets are acknowledged after they are on disk: kill -9 loses neither.
//
//   - Topics are made with their partitions before the first client is served. An existing topic keeps its partitions,
//     because more of them would move keys to other partitions and break their order.
//
//   - A consumer that died while it joined its group is removed within seconds (ghosts.go). kfake alone keeps it, with its
//     partitions, until the broker restarts.
//
//   - The consumer groups of replicas that are gone are removed (local/replicagroups).
//
//   - A folder belongs to one broker at a time. A damaged folder is refused and left as it is (verify.go).
//
//   - The disk does not fill up: records that every group has read are trimmed, other records are kept up to a hard limit
//     (retention.go).
//
//   - Only the users of local/kafkausers with their passwords are served, each with its rights and no others (users.go). Other
//     users of the machine can read neither its port nor its files (private.go).
//
// It serves one machine: it has no replication and no TLS. Kubernetes and Compose run a real Kafka.
package broker

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/taskwire/taskwire/local/kafkausers"
	"github.com/taskwire/taskwire/local/replicagroups"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/twmb/franz-go/pkg/kfake"
)

const (
	// clusterID is shown to clients and has no other meaning.
	clusterID = "taskwire-local"

	// maxMessageBytes bounds a record batch. It is Kafka's default and above the 1,000,000 bytes to which daprd's producer
	// fills a batch. A lower limit would refuse bulk publishes of daprd.
	maxMessageBytes = 1_048_588

	// keeperTimeout bounds each request of the broker to itself.
	keeperTimeout = 5 * time.Second

	// offsetsRetentionMinutes is a year. With Kafka's seven days, a stack that was down for a week would lose its groups'
	// offsets and read every record again.
	offsetsRetentionMinutes = 365 * 24 * 60

	// sessionFile is where kfake keeps group members over a clean restart. They would come back without the metadata that a
	// group leader needs to assign partitions. So the file is removed and members join again, which takes no longer.
	sessionFile = "session_state.json"
)

// Config says where a broker listens and keeps its data. Addr, DataDir and Topics are needed.
type Config struct {
	Addr    string         // host:port; port 0 is a free one, which ready gets
	DataDir string         // made when missing
	Topics  []events.Topic // made when missing
	Log     *slog.Logger   // slog.Default when nil
	NoSync  bool           // for tests: acknowledge before fsync, which survives kill -9 of the broker but not a power cut

	// Passwords are those of the users of local/kafkausers, by name. A user without one does not exist. nil is for tests: then
	// everybody may do everything.
	Passwords map[string]string

	rebalanceLimit time.Duration // for tests: replaces the constant of that name
}

// Run serves until ctx is done, then writes its state and returns nil. It calls ready, which may be nil, once with the
// address when clients are served. It returns an error for a port that is taken, and for a folder that is in use
// (ErrLocked) or damaged (ErrCorrupt).
func Run(ctx context.Context, cfg Config, ready func(addr string)) (err error) {
	log := cfg.Log
	if log == nil {
		log = slog.Default()
	}
	if err := cfg.validate(); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	held, err := lock(cfg.DataDir)
	if err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	defer func() { _ = held.Release() }() // the system frees it with the process
	if err := tighten(cfg.DataDir); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	if err := verify(cfg.DataDir, log); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	for _, name := range []string{sessionFile, usersFile, rightsFile} {
		if err := os.Remove(filepath.Join(cfg.DataDir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("broker: %w", err)
		}
	}
	track := newTracker()
	ln, err := listen(ctx, cfg.Addr, track, cfg.Passwords != nil)
	if err != nil {
		return fmt.Errorf("broker: listen on %s: %w", cfg.Addr, err)
	}
	defer func() { _ = ln.Close() }() // closed twice is not an error that matters

	keeper := keeper{password: rand.Text(), ln: ln}
	cluster, err := kfake.NewCluster(append(cfg.options(ln, log), cfg.users(keeper)...)...)
	if err != nil {
		return fmt.Errorf("broker: open %s: %w", cfg.DataDir, err)
	}
	defer cluster.Close()
	if err := createTopics(cluster, cfg.Topics, log); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	addr := ln.Addr().String()
	client, err := keeper.client(addr)
	if err != nil {
		return fmt.Errorf("broker: client: %w", err)
	}
	defer client.Close()
	if cfg.Passwords != nil {
		if err := kafkausers.Grant(ctx, client); err != nil {
			return fmt.Errorf("broker: %w", err)
		}
	}
	ln.open() // clients are served from here on, so none has seen a topic or a right missing

	// kfake's calls block for ever after Close, so the goroutines that make them end first.
	var keepers sync.WaitGroup
	defer keepers.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ghosts := ghosts{cluster: cluster, client: client, track: track, log: log, waits: map[string]joinPhase{},
		limit: cmp.Or(cfg.rebalanceLimit, rebalanceLimit)}
	trimmer := trimmer{cluster: cluster, client: client, topics: cfg.Topics, log: log, bounds: bounds{keepBytes, maxBytes}}
	keepers.Go(func() { ghosts.run(ctx) })
	keepers.Go(func() { trimmer.run(ctx) })
	keepers.Go(func() { replicagroups.New(client, log).Run(ctx) })

	log.Info("broker is ready", "addr", addr, "data", cfg.DataDir, "topics", len(cfg.Topics))
	if ready != nil {
		ready(addr)
	}
	<-ctx.Done()
	return nil
}

func (c Config) validate() error {
	host, port, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return fmt.Errorf("address %q: %w", c.Addr, err)
	}
	if host == "" || net.ParseIP(host).IsUnspecified() {
		return fmt.Errorf("address %q names no host, but clients are sent to this address", c.Addr)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("address %q: port is not a number from 0 to 65535", c.Addr)
	}
	if c.DataDir == "" {
		return errors.New("no data folder is set")
	}
	for _, t := range c.Topics {
		if t.Name == "" || t.Partitions < 1 {
			return fmt.Errorf("topic %q wants %d partitions", t.Name, t.Partitions)
		}
	}
	return nil
}

func (c Config) options(ln *listener, log *slog.Logger) []kfake.Opt {
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.ClusterID(clusterID),
		kfake.DataDir(c.DataDir),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return ln, nil }),
		kfake.WithLogger(logger{log}),
		kfake.BrokerConfigs(map[string]string{
			"message.max.bytes":          strconv.Itoa(maxMessageBytes),
			"offsets.retention.minutes":  strconv.Itoa(offsetsRetentionMinutes),
			"log.segment.bytes":          strconv.Itoa(segmentBytes),
			"default.replication.factor": "1",
		}),
	}
	if !c.NoSync {
		opts = append(opts, kfake.SyncWrites())
	}
	return opts
}

// createTopics makes the missing topics.
func createTopics(cluster *kfake.Cluster, topics []events.Topic, log *slog.Logger) error {
	for _, t := range topics {
		have := len(cluster.PartitionInfos(t.Name))
		switch {
		case have == 0:
			if err := cluster.CreateTopic(t.Name, int32(t.Partitions), nil); err != nil {
				return fmt.Errorf("create topic %s: %w", t.Name, err)
			}
		case have != t.Partitions:
			log.Warn("topic keeps its partitions", "topic", t.Name, "partitions", have, "wanted", t.Partitions)
		}
	}
	return nil
}

// logger passes kfake's log lines on. Its info lines are one for each connection and request, so they are debug here.
type logger struct{ log *slog.Logger }

func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	to := slog.LevelDebug
	switch level {
	case kfake.LogLevelError:
		to = slog.LevelError
	case kfake.LogLevelWarn:
		to = slog.LevelWarn
	case kfake.LogLevelNone, kfake.LogLevelInfo, kfake.LogLevelDebug:
	}
	if ctx := context.Background(); l.log.Enabled(ctx, to) {
		l.log.Log(ctx, to, fmt.Sprintf(format, args...))
	}
}
