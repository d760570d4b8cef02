package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/local/build"
	"github.com/taskwire/taskwire/local/console"
	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/local/runstate"
	"github.com/taskwire/taskwire/local/stack"
)

const (
	// defaultPort is the gateway's.
	defaultPort = 8080
	// portTries is how many ports from defaultPort on are tried if none was chosen: more than a developer's other programs take.
	portTries = 20
)

// upFlags are the flags of `taskwire up`.
type upFlags struct {
	port     int
	chosen   bool // the user named the port
	data     string
	daprd    string
	detach   bool
	noBuild  bool
	verbose  bool
	reportFD int // set by `up --detach` for the process that it starts: the descriptor of its report
}

func upCommand() *cobra.Command {
	var f upFlags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Build what is missing, start everything, print the address",
		Long: "Starts Postgres (DATABASE_URL if set, else a private one), a Kafka-protocol broker (KAFKA_BROKERS if set, else its own),\n" +
			"the services with a Dapr sidecar each, and the gateway. It waits until all are ready and prints the address. Ctrl-C\n" +
			"stops everything in order, a second Ctrl-C at once. The data stays in the data folder.\n\n" + kafkaconn.Help + "\n" +
			"That user has to be an administrator, who creates a user for each service; with " + sharedVariable + "=true every service\n" +
			"logs in as it.",
		Example: "  taskwire up                                # http://localhost:8080\n" +
			"  taskwire up --port 8090 --data /tmp/other  # a second one at the same time\n" +
			"  taskwire up --detach                       # in the background; then status, logs, down\n" +
			"  DATABASE_URL=postgres://me:secret@db/postgres KAFKA_BROKERS=kafka:9092 KAFKA_USERNAME=admin KAFKA_PASSWORD=… taskwire up",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.chosen = cmd.Flags().Changed("port")
			return runUp(cmd.Context(), f, cmd.OutOrStdout())
		},
	}
	dataFlag(cmd, &f.data)
	cmd.Flags().IntVar(&f.port, "port", defaultPort, "port of the gateway; 0 takes a free one; if it is not given and taken, the next free one is used")
	cmd.Flags().BoolVarP(&f.detach, "detach", "d", false, "return when everything is ready, and leave it running")
	cmd.Flags().BoolVar(&f.noBuild, "no-build", false, "run the programs from the last build")
	cmd.Flags().StringVar(&f.daprd, "daprd", "", "an installed daprd, 1.18 or later, to use instead of building one (or TASKWIRE_DAPRD)")
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "show every line of every log")
	cmd.Flags().IntVar(&f.reportFD, "report-fd", 0, "")
	_ = cmd.Flags().MarkHidden("report-fd") // fails only for an unknown flag
	return cmd
}

func runUp(ctx context.Context, f upFlags, out io.Writer) error {
	root, err := findRoot()
	if err != nil {
		return err
	}
	data, err := findData(f.data)
	if err != nil {
		return err
	}
	bin := filepath.Join(root, dataFolder, "bin")
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running atomic.Pointer[stack.Stack]
	defer onSignals(cancel, func() {
		if s := running.Load(); s != nil {
			s.Hurry()
		}
	})()

	login, err := kafkaLogin()
	if err != nil {
		return err
	}
	cfg := stack.Config{
		Root: root, Data: data, BinDir: bin, Port: f.port, DatabaseURL: os.Getenv("DATABASE_URL"),
		Kafka: os.Getenv(brokersVariable), KafkaLogin: login,
		Out: out, Color: wantsColour(out), Verbose: f.verbose, Durable: true,
	}
	report := newReport(f.reportFD)
	if report != nil {
		log, err := report.redirect(data)
		if err != nil {
			return report.failed(err)
		}
		defer log.Close()
		cfg.Out = io.MultiWriter(log, report)
	}
	s, err := newStack(&cfg, f.chosen)
	if err != nil {
		return report.failed(explainHeld(data, err))
	}
	f.port = cfg.Port
	if f.detach {
		s.Close() // New only checked that it can start: report that before minutes of building
	}
	if !f.noBuild {
		if err := build.All(ctx, build.Config{Root: root, BinDir: bin, Out: out, TTY: isTerminal(out), Daprd: f.daprd}); err != nil {
			s.Close()
			return err
		}
	}
	if f.detach {
		return detach(ctx, f, data, bin, out)
	}
	running.Store(s)
	con := console.New(cfg.Out, cfg.Color)
	announced := make(chan struct{})
	go func() {
		defer close(announced)
		select {
		case <-s.Ready():
			announce(con, s.URL(), f, report != nil)
			report.ready(s.URL())
		case <-ctx.Done():
		}
	}()
	err = s.Run(ctx)
	cancel()
	<-announced
	if err != nil {
		return report.failed(err)
	}
	con.Text("Everything has stopped. The data is in %s.", data)
	return nil
}

// newStack makes a stack on the port of cfg. If the user has not chosen it and it is taken, newStack takes the next free one and sets
// cfg.Port.
func newStack(cfg *stack.Config, chosen bool) (*stack.Stack, error) {
	s, taken := stack.New(*cfg)
	if chosen || !errors.Is(taken, stack.ErrPort) {
		return s, taken
	}
	for range portTries {
		cfg.Port++
		s, err := stack.New(*cfg)
		if errors.Is(err, stack.ErrPort) {
			continue
		}
		if err == nil {
			fmt.Fprintf(cfg.Out, "port %d is taken: the gateway uses port %d\n", defaultPort, cfg.Port)
		}
		return s, err
	}
	return nil, taken
}

// announce prints the address and the next commands.
func announce(con *console.Console, url string, f upFlags, detached bool) {
	con.Text("")
	con.Headline("Taskwire is ready: %s", url)
	con.Text("  the API: %s/docs   a tour: README.md, or make tour%s", url, makePort(f.port))
	if !detached {
		con.Text("  in another terminal: taskwire status, taskwire logs task-api -f   stop: Ctrl-C")
	}
	con.Text("")
}

func makePort(port int) string {
	if port == defaultPort {
		return ""
	}
	return fmt.Sprintf(" PORT=%d", port)
}

// explainHeld adds the address of the running Taskwire, and what to do, to the error of a data folder in use.
func explainHeld(data string, err error) error {
	var held *runstate.HeldError
	if !errors.As(err, &held) {
		return err
	}
	at := ""
	if s, e := runstate.Load(data); e == nil && s != nil && s.Supervisor.PID == held.PID {
		at = " at " + s.URL
	}
	return fmt.Errorf("%w%s. Stop it with `taskwire down --data %s` (make down), or use another data folder: --data DIR (make up DATA=DIR)", err, at, data)
}

// onSignals calls first on the first SIGINT, SIGTERM or SIGHUP, and again on each later SIGINT or SIGTERM. The returned
// function stops it.
func onSignals(first context.CancelFunc, again func()) (stop func()) {
	ch := make(chan os.Signal, 4)
	// SIGPIPE is caught: a terminal or pipe that closes must not end the supervisor before its parts.
	signal.Notify(ch, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		called := false
		for {
			select {
			case <-ended:
				return
			case sig := <-ch:
				switch {
				case sig == syscall.SIGPIPE:
				case !called:
					called = true
					first()
				case sig != syscall.SIGHUP: // a closing terminal sends it more than once
					again()
				}
			}
		}
	}()
	return func() {
		signal.Stop(ch)
		close(ended)
		<-done
	}
}
