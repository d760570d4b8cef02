package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/taskwire/taskwire/e2e/client"
	"github.com/taskwire/taskwire/local/kafka"
	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/local/kafkausers"
	"github.com/taskwire/taskwire/local/stack"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/testkit/porttest"
	"github.com/twmb/franz-go/pkg/kadm"
)

// clusterNodes is the smallest number of brokers that survives the loss of one.
const clusterNodes = 3

// cluster is Apache Kafka on several nodes that the test may kill.
type cluster struct {
	t       *testing.T
	nodes   []*kafka.Node
	addrs   []string
	running []*exec.Cmd // nil for a node that is down
	logs    []*os.File
}

// startCluster prepares the nodes; start starts one. The end of the test kills them.
func startCluster(t *testing.T, jars string) *cluster {
	t.Helper()
	c := &cluster{t: t, running: make([]*exec.Cmd, clusterNodes)}
	ports := porttest.Free(t, 2*clusterNodes)
	var controllers []string
	for i := range clusterNodes {
		controllers = append(controllers, fmt.Sprintf("127.0.0.1:%d", ports[clusterNodes+i]))
	}
	dir := t.TempDir()
	for i := range clusterNodes {
		home := filepath.Join(dir, fmt.Sprint(i+1))
		node, err := kafka.Prepare(t.Context(), kafka.Config{Jars: jars, Dir: home, ID: i + 1, Port: ports[i], Controllers: controllers,
			Admin: kafkausers.Admin, Password: clusterPassword})
		if err != nil {
			t.Fatal(err)
		}
		log, err := os.Create(filepath.Join(home, "log"))
		if err != nil {
			t.Fatal(err)
		}
		c.nodes, c.logs, c.addrs = append(c.nodes, node), append(c.logs, log), append(c.addrs, fmt.Sprintf("127.0.0.1:%d", ports[i]))
	}
	t.Cleanup(func() {
		for i := range c.nodes {
			c.kill(i)
			if t.Failed() {
				raw, _ := os.ReadFile(c.logs[i].Name())
				t.Logf("the end of the log of node %d:\n%s", i+1, raw[max(0, len(raw)-4000):])
			}
			c.logs[i].Close()
		}
	})
	return c
}

// clusterPassword is the administrator's.
const clusterPassword = "a long secret"

// login returns how the administrator connects.
func (c *cluster) login() kafkaconn.Settings {
	return kafkaconn.Settings{Brokers: c.brokers(), Username: kafkausers.Admin, Password: clusterPassword}
}

func (c *cluster) brokers() string { return strings.Join(c.addrs, ",") }

func (c *cluster) start(i int) {
	c.t.Helper()
	cmd := exec.Command(c.nodes[i].Path(), c.nodes[i].Args()...)
	cmd.Stdout, cmd.Stderr = c.logs[i], c.logs[i]
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C ends the test, which then kills the nodes
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.running[i] = cmd
}

func (c *cluster) kill(i int) {
	if cmd := c.running[i]; cmd != nil {
		_ = cmd.Process.Kill() // fails if it has ended
		_ = cmd.Wait()
		c.running[i] = nil
	}
}

// waitInSync waits until the cluster has all its brokers and every replica of every topic is in sync.
func (c *cluster) waitInSync(ctx context.Context) {
	c.t.Helper()
	kafka, err := c.login().Client()
	if err != nil {
		c.t.Fatal(err)
	}
	defer kafka.Close()
	client.Eventually(c.t, startTimeout, "all nodes of the cluster are in sync", func() error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		meta, err := kadm.NewClient(kafka).Metadata(ctx)
		if err != nil {
			return err
		}
		if n := len(meta.Brokers); n != clusterNodes {
			return fmt.Errorf("%d of %d brokers", n, clusterNodes)
		}
		for _, t := range meta.Topics {
			for _, p := range t.Partitions {
				if len(p.ISR) != len(p.Replicas) {
					return fmt.Errorf("%s, partition %d: %v of %v are in sync", p.Topic, p.Partition, p.ISR, p.Replicas)
				}
			}
		}
		return nil
	})
}

// leader returns the node that leads the task-events partition with the most events: its loss matters most.
func (c *cluster) leader(ctx context.Context) int {
	c.t.Helper()
	kafka, err := c.login().Client()
	if err != nil {
		c.t.Fatal(err)
	}
	defer kafka.Close()
	admin := kadm.NewClient(kafka)
	ends, err := admin.ListEndOffsets(ctx, events.TopicTaskEvents)
	if err != nil {
		c.t.Fatal(err)
	}
	var most kadm.ListedOffset
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > most.Offset {
			most = o
		}
	})
	topics, err := admin.ListTopics(ctx, events.TopicTaskEvents)
	if err != nil {
		c.t.Fatal(err)
	}
	return int(topics[events.TopicTaskEvents].Partitions[most.Partition].Leader) - 1
}

// TestNothingIsLostWhenABrokerOfThreeIsGone kills the broker that leads the writer's partition in the middle of writes.
// The broker stays away until everything is counted: the two others hold everything that was acknowledged. Then it
// returns, and the test kills the next leader.
func TestNothingIsLostWhenABrokerOfThreeIsGone(t *testing.T) {
	jars := os.Getenv(jarsVariable)
	if jars == "" {
		t.Skip("needs Apache Kafka: make test-kafka")
	}
	startsAStack(t)
	c := startCluster(t, jars)
	for i := range c.nodes {
		c.start(i)
	}
	c.waitInSync(t.Context())
	root, err := repoRoot()
	if err != nil {
		t.Fatal(err)
	}
	cfg := stackConfig(root, t.TempDir())
	cfg.KafkaJars, cfg.Kafka, cfg.KafkaLogin = "", c.brokers(), stack.KafkaLogin{Settings: c.login()}
	s, stop, err := startStack(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stop(); err != nil {
			t.Errorf("stop the stack: %v", err)
		}
	}()
	u := client.NewUser(t, s.URL())
	u.Create(map[string]any{"title": "finds the partition"})
	client.Eventually(t, time.Minute, "the first event is in the audit log", func() error { return auditHas(u, "/api/v1/audit", 1) })
	page := client.OpenBrowser(t, u, 0)
	for round := range 2 {
		lost := c.leader(t.Context())
		h := writeWhileKilling(t, u, fmt.Sprintf("node %d in round %d", lost+1, round+1), func() error { c.kill(lost); return nil })
		h.Check(t, u, page)
		c.start(lost)
		c.waitInSync(t.Context())
	}
}
