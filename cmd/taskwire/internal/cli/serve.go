package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/local/broker"
	"github.com/taskwire/taskwire/local/gateway"
	"github.com/taskwire/taskwire/pkg/events"
)

func gatewayCommand() *cobra.Command {
	var addrs []string
	cfg := gateway.Config{}
	cmd := &cobra.Command{
		Use:   "gateway",
		Short: "Run the gateway alone",
		Long: "Puts the page, the API and the WebSocket of all services behind one address, as an ingress does in Kubernetes.\n" +
			"`taskwire up` runs it; so does docker-compose.yml.",
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
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			listeners, err := listen(ctx, addrs)
			if err != nil {
				return err
			}
			cfg.Log.Info("listening", "addr", addrs)
			return g.Serve(ctx, listeners...)
		},
	}
	cmd.Flags().StringArrayVar(&addrs, "addr", []string{"127.0.0.1:8080"}, "address to listen on; may be given more than once")
	cmd.Flags().StringToStringVar(&cfg.Upstreams, "upstream", nil, "NAME=URL of task-api, audit, notification and websocket, each once")
	cmd.Flags().StringToStringVar(&cfg.Ready, "ready", nil, "NAME=URL that /readyz asks: http://… wants a 2xx, tcp://host:port a connection")
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
	cmd := &cobra.Command{
		Use:     "broker",
		Short:   "Run the local Kafka-protocol broker alone",
		Long:    "Runs the durable local broker with Taskwire's topics. `taskwire up` runs it unless KAFKA_BROKERS is set.",
		Example: "  taskwire broker --addr 127.0.0.1:9092 --data /tmp/broker",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.Log = serverLog(cmd, "broker")
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return broker.Run(ctx, cfg, nil)
		},
	}
	cmd.Flags().StringVar(&cfg.Addr, "addr", "127.0.0.1:9092", "address to listen on; clients are sent to it")
	cmd.Flags().StringVar(&cfg.DataDir, "data", "", "folder for topics and offsets")
	cmd.Flags().BoolVar(&cfg.NoSync, "no-sync", false, "acknowledge before fsync: faster, does not survive a power cut")
	_ = cmd.MarkFlagRequired("data") // it fails only for a flag that is not there
	return cmd
}

// serverLog is a log like that of the services.
func serverLog(cmd *cobra.Command, service string) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(os.Getenv("LOG_LEVEL"))) // info where it says nothing that is known
	return slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level})).With("service", service)
}
