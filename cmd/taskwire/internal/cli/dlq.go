package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/cmd/taskwire/internal/deadletters"
	"github.com/taskwire/taskwire/local/kafkaconn"
)

// dlqLimit is how many letters of each topic are shown unless more are asked for: a screen full.
const dlqLimit = 20

func dlqCommand() *cobra.Command {
	var brokers string
	var limit int64
	var asJSON bool
	open := func(cmd *cobra.Command) (context.Context, *deadletters.Desk, func(), error) {
		if brokers == "" {
			return nil, nil, nil, errors.New("which Kafka? Name it with --brokers host:port or KAFKA_BROKERS (locally `taskwire status` shows the broker's port)")
		}
		desk, err := deadletters.Open(brokers)
		if err != nil {
			return nil, nil, nil, err
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		return ctx, desk, func() { cancel(); stop(); desk.Close() }, nil
	}
	cmd := &cobra.Command{
		Use:   "dlq",
		Short: "Show the dead letters; publish one again",
		Long: "Shows the newest events that a consumer could never process, each with its reason. A letter stays in its topic for 30\n" +
			"days. After the cause is mended, replay publishes its event again: every consumer of the topic gets it, and those that\n" +
			"have had it pass over it.\n\n" + kafkaconn.Help,
		Example: "  taskwire dlq --brokers 127.0.0.1:9092\n  taskwire dlq show task-events.dlq:0:12\n  taskwire dlq replay task-events.dlq:0:12",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, desk, done, err := open(cmd)
			if err != nil {
				return err
			}
			defer done()
			all := []deadletters.Letter{}
			for _, topic := range deadletters.Topics() {
				letters, err := desk.List(ctx, topic, limit)
				if err != nil {
					return err
				}
				all = append(all, letters...)
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), all)
			}
			if len(all) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "no dead letters")
				return nil
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tWRITTEN\tCONSUMER\tEVENT\tREASON")
			for _, l := range all {
				reason := l.Letter.Reason
				if l.Problem != "" {
					reason = "put here by the sidecar: " + l.Problem
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%.*s\n", l.ID, l.At.Format("2006-01-02 15:04:05Z"), l.Letter.Consumer, l.Letter.EventID, reasonWidth, reason)
			}
			return w.Flush()
		},
	}
	cmd.PersistentFlags().StringVar(&brokers, "brokers", os.Getenv("KAFKA_BROKERS"), "Kafka's brokers: host:port, with commas between (default: KAFKA_BROKERS)")
	cmd.Flags().Int64Var(&limit, "limit", dlqLimit, "how many of each topic")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	one := func(use, short string, do func(context.Context, *cobra.Command, *deadletters.Desk, deadletters.Letter) error) *cobra.Command {
		return &cobra.Command{
			Use: use + " ID", Short: short, Args: cobra.ExactArgs(1), Example: "  taskwire dlq " + use + " task-events.dlq:0:12",
			RunE: func(cmd *cobra.Command, args []string) error {
				ctx, desk, done, err := open(cmd)
				if err != nil {
					return err
				}
				defer done()
				letter, err := desk.Find(ctx, args[0])
				if err != nil {
					return err
				}
				return do(ctx, cmd, desk, letter)
			},
		}
	}
	cmd.AddCommand(
		one("show", "Print one dead letter with its event", func(_ context.Context, cmd *cobra.Command, _ *deadletters.Desk, l deadletters.Letter) error {
			return printJSON(cmd.OutOrStdout(), l)
		}),
		one("replay", "Publish a dead letter's event again", func(ctx context.Context, cmd *cobra.Command, desk *deadletters.Desk, l deadletters.Letter) error {
			if err := desk.Replay(ctx, l); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "event %s is published to %s again\n", l.Letter.EventID, l.Letter.Topic)
			return nil
		}))
	return cmd
}
