// Package kafka runs Apache Kafka from its jars in KRaft mode. Each node is both broker and controller. The whole-stack tests
// use it to test with the real broker (`make test-kafka`); docs/kafka.md lists the differences from our own broker.
//
// Promises: a node listens on loopback only, and serves only users with a password and the rights that were given to them; its data folder is formatted once and never again; the next start continues
// with the folder after kill -9 at any moment. All other settings are Kafka's defaults, as in a cluster.
package kafka

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	// heap is enough for the load of a test.
	heap = "384m"
	// maxReplicas is the number of replicas of Kafka's own topics, if there are as many nodes.
	maxReplicas = 3
	// leastJava is the version that the broker of Kafka 4 needs.
	leastJava = 17
	// clusterID is the same for every cluster, because no cluster meets another.
	clusterID = "VGFza3dpcmVLYWZrYVRlcw"
)

//go:embed log4j2.properties
var logConfig []byte

// ErrNoJava is wrapped where no fitting Java is found.
var ErrNoJava = errors.New("no Java to run Apache Kafka with (Debian: apt-get install default-jre-headless)")

// Config describes one node of a cluster.
type Config struct {
	Jars        string   // folder of the jars, which scripts/kafka.sh fetches
	Dir         string   // data folder, made if missing
	ID          int      // from 1
	Port        int      // for clients and the other brokers
	Controllers []string // host:port of every node's controller, this node's at position ID
	Admin       string   // the user who may do everything; the brokers log in to each other as it too
	Password    string   // of Admin, on the first start
}

// Node is a node that is ready to run.
type Node struct {
	java string
	args []string
}

// Prepare writes the node's settings and formats its data folder if it is new.
func Prepare(ctx context.Context, cfg Config) (*Node, error) {
	java, err := findJava(ctx)
	if err != nil {
		return nil, err
	}
	if jars, _ := filepath.Glob(filepath.Join(cfg.Jars, "kafka_*.jar")); len(jars) == 0 {
		return nil, fmt.Errorf("%s has no kafka_*.jar: scripts/kafka.sh fetch gets it", cfg.Jars)
	}
	if cfg.ID < 1 || cfg.ID > len(cfg.Controllers) {
		return nil, fmt.Errorf("node %d has no controller among %v", cfg.ID, cfg.Controllers)
	}
	data := filepath.Join(cfg.Dir, "data")
	if err := os.MkdirAll(data, 0o755); err != nil {
		return nil, err
	}
	settings, logging := filepath.Join(cfg.Dir, "server.properties"), filepath.Join(cfg.Dir, "log4j2.properties")
	if err := os.WriteFile(settings, []byte(cfg.properties(data)), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(logging, logConfig, 0o600); err != nil {
		return nil, err
	}
	jvm := []string{
		// For a quick start and little memory. A test's broker does not run long enough for the second compiler.
		"-Xms64m", "-Xmx" + heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true",
		"-Dlog4j2.configurationFile=" + logging, "-cp", filepath.Join(cfg.Jars, "*"),
	}
	if _, err := os.Stat(filepath.Join(data, "meta.properties")); errors.Is(err, os.ErrNotExist) {
		format := slices.Concat(jvm, []string{"kafka.tools.StorageTool", "format", "-t", clusterID, "-c", settings,
			"-S", fmt.Sprintf("SCRAM-SHA-512=[name=%s,password=%s]", cfg.Admin, cfg.Password)})
		if out, err := exec.CommandContext(ctx, java, format...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("format the data folder of Kafka: %w: %s", err, out)
		}
	} else if err != nil {
		return nil, err
	}
	return &Node{java: java, args: slices.Concat(jvm, []string{"kafka.Kafka", settings})}, nil
}

// Path and Args are the command of the node.
func (n *Node) Path() string { return n.java }

// Args do not hold the program's name.
func (n *Node) Args() []string { return n.args }

func (c Config) properties(data string) string {
	host := func(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
	var voters []string
	for i, addr := range c.Controllers {
		voters = append(voters, fmt.Sprintf("%d@%s", i+1, addr))
	}
	replicas := strconv.Itoa(min(maxReplicas, len(c.Controllers)))
	inSync := strconv.Itoa(max(1, min(maxReplicas, len(c.Controllers))-1))
	return strings.Join([]string{
		"process.roles=broker,controller",
		"node.id=" + strconv.Itoa(c.ID),
		"controller.quorum.voters=" + strings.Join(voters, ","),
		"listeners=CLIENTS://" + host(c.Port) + ",CONTROLLER://" + c.Controllers[c.ID-1],
		"advertised.listeners=CLIENTS://" + host(c.Port),
		"listener.security.protocol.map=CLIENTS:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
		"controller.listener.names=CONTROLLER",
		"inter.broker.listener.name=CLIENTS",
		// Every client logs in, and what no entry allows is refused, as it has to be in a cluster.
		"sasl.enabled.mechanisms=SCRAM-SHA-512",
		"sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512",
		"listener.name.clients.scram-sha-512.sasl.jaas.config=" + c.jaas("scram.ScramLoginModule", ""),
		// The controllers cannot look up a SCRAM user before they have a leader, so they know the one user by its password.
		"sasl.mechanism.controller.protocol=PLAIN",
		"listener.name.controller.sasl.enabled.mechanisms=PLAIN",
		"listener.name.controller.plain.sasl.jaas.config=" + c.jaas("plain.PlainLoginModule", "user_"+c.Admin),
		"authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"super.users=User:" + c.Admin,
		"allow.everyone.if.no.acl.found=false",
		"log.dirs=" + data,
		// By default, Kafka's own topics need three brokers, and a smaller cluster could not make them.
		"offsets.topic.replication.factor=" + replicas,
		"transaction.state.log.replication.factor=" + replicas,
		"transaction.state.log.min.isr=" + inSync,
		"share.coordinator.state.topic.replication.factor=" + replicas,
		"share.coordinator.state.topic.min.isr=" + inSync,
		// As in managed clusters, a missing topic is an error and is not made with one partition.
		"auto.create.topics.enable=false",
		"",
	}, "\n")
}

// jaas returns the setting by which a listener logs in as the administrator, and lets it in if known is set.
func (c Config) jaas(module, known string) string {
	s := fmt.Sprintf("org.apache.kafka.common.security.%s required username=%q password=%q", module, c.Admin, c.Password)
	if known != "" {
		s += fmt.Sprintf(" %s=%q", known, c.Password)
	}
	return s + ";"
}

// findJava returns JAVA_HOME's java, else the one on the PATH. A java that is too old for Kafka is an error that names it.
func findJava(ctx context.Context) (string, error) {
	java := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		java = filepath.Join(home, "bin", "java")
	}
	path, err := exec.LookPath(java)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoJava, err)
	}
	out, err := exec.CommandContext(ctx, path, "-XshowSettings:properties", "-version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s -version: %w: %s", path, err, out)
	}
	version, err := javaVersion(string(out))
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	if version < leastJava {
		return "", fmt.Errorf("%w: %s is Java %d, Kafka 4 needs %d", ErrNoJava, path, version, leastJava)
	}
	return path, nil
}

// javaVersion returns the language version in java's settings. Java 8 calls itself 1.8.
func javaVersion(settings string) (int, error) {
	for line := range strings.Lines(settings) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " = ")
		if !ok || name != "java.specification.version" {
			continue
		}
		return strconv.Atoi(strings.TrimPrefix(value, "1."))
	}
	return 0, errors.New("its settings have no version")
}
