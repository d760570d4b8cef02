package cli

import (
	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/cmd/taskwire/kafkametrics"
	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/local/kafkausers"
)

func kafkaMetricsCommand() *cobra.Command {
	cfg := kafkametrics.Config{}
	var kafka kafkaFlags
	cmd := &cobra.Command{
		Use:   "kafka-metrics",
		Short: "Serve the consumers' lag and the dead letters to Prometheus",
		Long: "Serves /metrics with what only the broker knows: the lag and the members of each consumer group, the dead letters of\n" +
			"each topic, and the partitions that lack a replica. deploy/observability/prometheus.yml scrapes it. It also removes the\n" +
			"consumer groups of replicas that are gone.\n\n" + kafkaconn.Help,
		Example: "  taskwire kafka-metrics --addr 127.0.0.1:9308",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.Log = serverLog(cmd, "kafka-metrics")
			var err error
			if cfg.Kafka, err = kafka.settings(kafkausers.Metrics); err != nil {
				return err
			}
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			return kafkametrics.Run(ctx, cfg, nil)
		},
	}
	kafka.add(cmd.Flags())
	cmd.Flags().StringVar(&cfg.Addr, "addr", "127.0.0.1:9308", "address to listen on")
	return cmd
}
