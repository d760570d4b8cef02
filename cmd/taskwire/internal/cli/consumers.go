package cli

import (
	"context"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/cmd/taskwire/consumers"
	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/local/kafkausers"
)

func consumersCommand() *cobra.Command {
	var kafka kafkaFlags
	var wait time.Duration
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "consumers",
		Short: "Show how far behind the consumers are; wait until they have caught up",
		Long: "Shows how many events each consumer has not processed yet, for the services that store what events cause. With\n" +
			"--wait, it returns when each consumer has processed everything that was there at the start (scripts/backup.sh needs\n" +
			"that), and ends with exit code 1 when the time is over first.\n\n" + kafkaconn.Help,
		Example: "  taskwire consumers\n  taskwire consumers --wait 2m\n  KAFKA_USERNAME=… KAFKA_PASSWORD=… taskwire consumers --brokers kafka:9092",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			at, err := kafka.settings(kafkausers.Operator)
			if err != nil {
				return err
			}
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			client, err := consumers.Open(at)
			if err != nil {
				return err
			}
			defer client.Close()
			if wait > 0 {
				ctx, cancel := context.WithTimeout(ctx, wait)
				defer cancel()
				if err := client.WaitProcessed(ctx); err != nil {
					return err
				}
			}
			ctx, cancel := context.WithTimeout(ctx, brokerTimeout)
			defer cancel()
			lags, err := client.Lags(ctx)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), lags)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "CONSUMER\tTOPIC\tMEMBERS\tBEHIND")
			for _, l := range lags {
				behind := strconv.FormatInt(l.Lag, 10)
				if l.NoTopic {
					behind = consumers.ErrNoTopic.Error()
				}
				fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", l.Group, l.Topic, l.Members, behind)
			}
			return w.Flush()
		},
	}
	kafka.add(cmd.Flags())
	cmd.Flags().DurationVar(&wait, "wait", 0, "wait until each consumer has processed what is there now, at most this long")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
