package cli

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/cmd/taskwire/kafkametrics"
	"github.com/taskwire/taskwire/local/kafkaconn"
)

func kafkaMetricsCommand() *cobra.Command {
	cfg := kafkametrics.Config{}
	cmd := &cobra.Command{
		Use:   "kafka-metrics",
		Short: "Tell Prometheus the consumers' lag and the dead letters",
		Long: "Serves /metrics with what only the broker knows: the lag and the members of each consumer group, the dead letters of\n" +
			"each topic, and the partitions that lack a replica. deploy/observability/prometheus.yml scrapes it.\n\n" + kafkaconn.Help,
		Example: "  taskwire kafka-metrics --brokers 127.0.0.1:9092 --addr 127.0.0.1:9308",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.Log = serverLog(cmd, "kafka-metrics")
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return kafkametrics.Run(ctx, cfg, nil)
		},
	}
	cmd.Flags().StringVar(&cfg.Brokers, "brokers", os.Getenv("KAFKA_BROKERS"), "Kafka's brokers: host:port, with commas between (default: KAFKA_BROKERS)")
	cmd.Flags().StringVar(&cfg.Addr, "addr", "127.0.0.1:9308", "address to listen on")
	if cfg.Brokers == "" {
		_ = cmd.MarkFlagRequired("brokers") // it fails only for a flag that is not there
	}
	return cmd
}
