package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/cmd/taskwire/internal/consumers"
	"github.com/taskwire/taskwire/local/kafkaconn"
)

// askTimeout bounds one look at the broker.
const askTimeout = 10 * time.Second

func consumersCommand() *cobra.Command {
	var brokers string
	var wait time.Duration
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "consumers",
		Short: "Show how far behind the consumers are; wait until they have caught up",
		Long: "Shows for each service that keeps what events cause how many events it has still to take. With --wait it returns when\n" +
			"each has taken all that was there when it was called: scripts/backup.sh needs that. Exit code 1: one has not in time.\n\n" + kafkaconn.Help,
		Example: "  taskwire consumers --brokers 127.0.0.1:9092\n  taskwire consumers --wait 2m",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if brokers == "" {
				return errors.New("which Kafka? Name it with --brokers host:port or KAFKA_BROKERS (locally `taskwire status` shows the broker's port)")
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			desk, err := consumers.Open(brokers)
			if err != nil {
				return err
			}
			defer desk.Close()
			if wait > 0 {
				ctx, cancel := context.WithTimeout(ctx, wait)
				defer cancel()
				if err := desk.WaitTaken(ctx); err != nil {
					return err
				}
			}
			ctx, cancel := context.WithTimeout(ctx, askTimeout)
			defer cancel()
			lags, err := desk.Lags(ctx)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), lags)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "CONSUMER\tTOPIC\tMEMBERS\tBEHIND")
			for _, l := range lags {
				fmt.Fprintf(w, "%s\t%s\t%d\t%d\n", l.Group, l.Topic, l.Members, l.Lag)
			}
			return w.Flush()
		},
	}
	cmd.Flags().StringVar(&brokers, "brokers", os.Getenv("KAFKA_BROKERS"), "Kafka's brokers: host:port, with commas between (default: KAFKA_BROKERS)")
	cmd.Flags().DurationVar(&wait, "wait", 0, "wait as long as this until each has taken what is there now")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
