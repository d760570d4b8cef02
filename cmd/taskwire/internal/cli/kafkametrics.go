package cli

import (
	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/cmd/taskwire/kafkametrics"
	"github.com/taskwire/taskwire/local/kafkaconn"
)

func kafkaMetricsCommand() *cobra.Command {
	cfg := kafkametrics.Config{}
	cmd := &cobra.Command{
		Use:   "kafka-metrics",
		Short: "Serve the consumers' lag and the dead letters to Prometheus",
		Long: "Serves /metrics with what only the broker knows: the lag and the members of each consumer group, the dead letters of\n" +
			"each topic, and the partitions that lack a replica. deploy/observability/prometheus.yml scrapes it. It also removes the\n" +
			"consumer groups of WebSocket replicas that are gone.\n\n" + kafkaconn.Help,
		Example: "  taskwire kafka-metrics --brokers 127.0.0.1:9092 --addr 127.0.0.1:9308",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.Log = serverLog(cmd, "kafka-metrics")
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			return kafkametrics.Run(ctx, cfg, nil)
		},
	}
	brokersFlag(cmd.Flags(), &cfg.Brokers)
	cmd.Flags().StringVar(&cfg.Addr, "addr", "127.0.0.1:9308", "address to listen on")
	if cfg.Brokers == "" {
		_ = cmd.MarkFlagRequired("brokers") // fails only for an unknown flag
	}
	return cmd
}
