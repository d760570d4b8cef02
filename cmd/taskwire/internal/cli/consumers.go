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
)

func consumersCommand() *cobra.Command {
	var brokers string
	var wait time.Duration
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "consumers",
		Short: "Show how far behind the consumers are; wait until they have caught up",
		Long: "Shows how many events each consumer has not processed yet, for the services that store what events cause. With\n" +
			"--wait, it returns when each consumer has processed everything that was there at the start (scripts/backup.sh needs\n" +
			"that), and ends with exit code 1 when the time is over first.\n\n" + kafkaconn.Help,
		Example: "  taskwire consumers --brokers 127.0.0.1:9092\n  taskwire consumers --wait 2m",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if brokers == "" {
				return errNoBrokers
			}
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			client, err := consumers.Open(brokers)
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
	brokersFlag(cmd.Flags(), &brokers)
	cmd.Flags().DurationVar(&wait, "wait", 0, "wait until each consumer has processed what is there now, at most this long")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
