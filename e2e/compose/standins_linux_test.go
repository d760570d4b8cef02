package compose

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/jackc/pgx/v5"
	"github.com/taskwire/taskwire/local/broker"
	"github.com/taskwire/taskwire/local/kafkaconn"
	localpg "github.com/taskwire/taskwire/local/postgres"
	"github.com/taskwire/taskwire/pkg/events"
)

// brokerEnv turns this process into the broker that stands in for Redpanda. Its value is the address and the folder.
const brokerEnv = "COMPOSE_TEST_BROKER"

// bootstrapUser is the variable with the first user of Redpanda.
const bootstrapUser = "RP_BOOTSTRAP_USER"

// standIn runs in place of an image that is only in a registry.
type standIn struct {
	run     func(s *stack, svc types.ServiceConfig) (*process, error)
	healthy func(s *stack, svc types.ServiceConfig) error
}

var standIns = map[string]standIn{
	"postgres": {runPostgres, func(s *stack, svc types.ServiceConfig) error { return s.dial(svc.Name, "5432") }},
	"redpanda": {runBroker, func(s *stack, svc types.ServiceConfig) error { return s.dial(svc.Name, "9092") }},
	// Caddy itself is real; only the wget of its image is missing.
	"gateway": {nil, func(s *stack, svc types.ServiceConfig) error {
		return s.get(svc.HealthCheck.Test[len(svc.HealthCheck.Test)-1])
	}},
}

// run starts a service with its stand-in or from its image. A pod's image only holds the network, which exists already.
func (s *stack) run(svc types.ServiceConfig) (*process, error) {
	if in, ok := standIns[svc.Name]; ok && in.run != nil {
		return in.run(s, svc)
	}
	if strings.HasSuffix(svc.Name, "-pod") {
		return s.launch(svc.Name, svc.Name, exec.Command("sleep", "infinity"))
	}
	return s.start(svc, nil)
}

// runPostgres starts the Postgres of this machine and creates what the image would: the superuser postgres with the
// password POSTGRES_PASSWORD, who may connect from every address.
func runPostgres(s *stack, svc types.ServiceConfig) (*process, error) {
	data := filepath.Join(s.dir, "postgres")
	plan, err := localpg.Prepare(context.Background(), localpg.Config{DataDir: data, Port: 5432})
	if err != nil {
		return nil, err
	}
	s.t.Cleanup(plan.Release)
	hba, err := os.OpenFile(filepath.Join(data, "cluster", "pg_hba.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	_, err = hba.WriteString("host all all 0.0.0.0/0 scram-sha-256\n")
	if err2 := hba.Close(); err != nil || err2 != nil {
		return nil, fmt.Errorf("pg_hba.conf: %w", err)
	}
	cmd, err := plan.Command(context.Background())
	if err != nil {
		return nil, err
	}
	cmd.Args = append(cmd.Args, "-c", "listen_addresses=*")
	p, err := s.launch(svc.Name, svc.Name, cmd)
	if err != nil {
		return nil, err
	}
	return p, superuser(s.spaces[svc.Name], plan.URL, *svc.Environment["POSTGRES_PASSWORD"])
}

func superuser(space *namespace, url, password string) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return err
	}
	cfg.DialFunc = space.dial
	for {
		var conn *pgx.Conn
		if conn, err = pgx.ConnectConfig(ctx, cfg); err == nil {
			defer conn.Close(ctx)
			_, err = conn.Exec(ctx, "CREATE ROLE postgres SUPERUSER LOGIN PASSWORD '"+password+"'")
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// runBroker starts the local broker with one unused topic and the user that the file gives Redpanda. `setup` has to create the
// other topics and users.
func runBroker(s *stack, svc types.ServiceConfig) (*process, error) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), bootstrapUser+"="+*svc.Environment[bootstrapUser],
		brokerEnv+"="+s.address[svc.Name]+":9092 "+filepath.Join(s.dir, "redpanda"))
	return s.launch(svc.Name, svc.Name, cmd)
}

// serveBroker runs the broker.
func serveBroker(ctx context.Context, what string) error {
	addr, dir, _ := strings.Cut(what, " ")
	user := strings.Split(os.Getenv(bootstrapUser), ":")
	if len(user) != 3 || user[2] != kafkaconn.ScramSHA512 {
		return fmt.Errorf("%s is not USER:PASSWORD:%s", bootstrapUser, kafkaconn.ScramSHA512)
	}
	return broker.Run(ctx, broker.Config{Addr: addr, DataDir: dir, Passwords: map[string]string{user[0]: user[1]}, Topics: []events.Topic{{Name: "not-asked-for", Partitions: 1}}}, nil)
}

// dial returns an error unless a port of a service accepts connections from the hub.
func (s *stack) dial(name, port string) error {
	conn, err := s.spaces[hub].dial(context.Background(), "tcp", net.JoinHostPort(s.address[name], port))
	if err != nil {
		return err
	}
	return conn.Close()
}

// get requests a page from within the gateway's namespace and returns an error unless the answer is 200.
func (s *stack) get(url string) error {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: s.spaces["gateway"].dial}}
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %d", url, resp.StatusCode)
	}
	return nil
}
