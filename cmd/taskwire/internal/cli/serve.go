package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/local/broker"
	"github.com/taskwire/taskwire/local/gateway"
	"github.com/taskwire/taskwire/local/kafkausers"
	"github.com/taskwire/taskwire/pkg/events"
)

func gatewayCommand() *cobra.Command {
	var addrs []string
	cfg := gateway.Config{}
	cmd := &cobra.Command{
		Use:   "gateway",
		Short: "Run the gateway alone",
		Long: "Serves the page, the API and the WebSocket of all services at one address, as an ingress does in Kubernetes.\n" +
			"`taskwire up` runs it, and so does docker-compose.yml.",
		Example: "  taskwire gateway --addr :8080 --upstream task-api=http://task-api:8080 --upstream audit=http://audit:8080 \\\n" +
			"    --upstream notification=http://notification:8080 --upstream websocket=http://websocket:8080 \\\n" +
			"    --ready task-api=http://task-api:8080/readyz",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.Log = serverLog(cmd, "gateway")
			g, err := gateway.New(cfg)
			if err != nil {
				return err
			}
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			listeners, err := listen(ctx, addrs)
			if err != nil {
				return err
			}
			cfg.Log.Info("listening", "addr", addrs)
			return g.Serve(ctx, listeners...)
		},
	}
	cmd.Flags().StringArrayVar(&addrs, "addr", []string{"127.0.0.1:8080"}, "address to listen on; can be repeated")
	cmd.Flags().StringToStringVar(&cfg.Upstreams, "upstream", nil, "NAME=URL of task-api, audit, notification and websocket, each once")
	cmd.Flags().StringToStringVar(&cfg.Ready, "ready", nil, "NAME=URL that /readyz checks: http://… must answer 2xx, tcp://host:port must accept a connection")
	return cmd
}

func listen(ctx context.Context, addrs []string) (all []net.Listener, err error) {
	for _, addr := range addrs {
		l, e := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
		if e != nil {
			err = errors.Join(err, fmt.Errorf("listen: %w", e))
			continue
		}
		all = append(all, l)
	}
	if err != nil {
		for _, l := range all {
			l.Close()
		}
	}
	return all, err
}

func brokerCommand() *cobra.Command {
	cfg := broker.Config{Topics: events.Topics()}
	var users string
	cmd := &cobra.Command{
		Use:   "broker",
		Short: "Run the local Kafka-protocol broker alone",
		Long: "Runs the durable local broker with Taskwire's topics. `taskwire up` runs it unless KAFKA_BROKERS is set. It serves the users\n" +
			"of the file --users with their passwords; each has the rights of its service only (docs/kafka.md).",
		Example: "  taskwire broker --addr 127.0.0.1:9092 --data /tmp/broker --users .taskwire/secrets/kafka-users.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.Log = serverLog(cmd, "broker")
			var err error
			if cfg.Passwords, err = kafkausers.ReadPasswords(users); err != nil {
				return err
			}
			broker.MakeFilesPrivate()
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			return broker.Run(ctx, cfg, nil)
		},
	}
	cmd.Flags().StringVar(&cfg.Addr, "addr", "127.0.0.1:9092", "address to listen on; it is also the address that clients get")
	cmd.Flags().StringVar(&cfg.DataDir, "data", "", "folder for topics and offsets")
	cmd.Flags().BoolVar(&cfg.NoSync, "no-sync", false, "acknowledge before fsync: faster, but a power cut loses data")
	cmd.Flags().StringVar(&users, "users", "", "file with the passwords of the users: {\"USER\":\"PASSWORD\"}")
	for _, needed := range []string{"data", "users"} {
		_ = cmd.MarkFlagRequired(needed) // fails only for an unknown flag
	}
	return cmd
}

// serverLog returns a log like those of the services.
func serverLog(cmd *cobra.Command, service string) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(os.Getenv("LOG_LEVEL"))) // stays at info for an unknown level
	return slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level})).With("service", service)
}
