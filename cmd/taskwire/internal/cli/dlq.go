package cli

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/cmd/taskwire/internal/deadletters"
	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/local/kafkausers"
)

// dlqLimit is how many letters of each topic are shown by default: one screen.
const dlqLimit = 20

func dlqCommand() *cobra.Command {
	var kafka kafkaFlags
	var limit int64
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "dlq",
		Short: "Show the dead letters; publish one again",
		Long: "Shows the newest events that a consumer can never process, each with its reason. A letter stays in its topic for 30\n" +
			"days. After you have fixed the cause, replay publishes its event again. Every consumer of the topic gets the event;\n" +
			"consumers that have processed it already skip it.\n\n" + kafkaconn.Help,
		Example: "  taskwire dlq\n  taskwire dlq show task-events.dlq:0:12\n  taskwire dlq replay task-events.dlq:0:12",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withLetters(cmd, &kafka, func(ctx context.Context, letters *deadletters.Client) error {
				return listLetters(ctx, cmd, letters, limit, asJSON)
			})
		},
	}
	kafka.add(cmd.PersistentFlags())
	cmd.Flags().Int64Var(&limit, "limit", dlqLimit, "how many letters of each topic")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.AddCommand(dlqShowCommand(&kafka), dlqReplayCommand(&kafka))
	return cmd
}

func dlqShowCommand(kafka *kafkaFlags) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Print one dead letter with its event", Args: cobra.ExactArgs(1),
		Example: "  taskwire dlq show task-events.dlq:0:12",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withLetters(cmd, kafka, func(ctx context.Context, letters *deadletters.Client) error {
				letter, err := letters.Find(ctx, args[0])
				if err != nil {
					return err
				}
				return printJSON(cmd.OutOrStdout(), letter)
			})
		},
	}
}

func dlqReplayCommand(kafka *kafkaFlags) *cobra.Command {
	return &cobra.Command{
		Use: "replay ID", Short: "Publish a dead letter's event again", Args: cobra.ExactArgs(1),
		Example: "  taskwire dlq replay task-events.dlq:0:12",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withLetters(cmd, kafka, func(ctx context.Context, letters *deadletters.Client) error {
				letter, err := letters.Find(ctx, args[0])
				if err != nil {
					return err
				}
				if err := letters.Replay(ctx, letter); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "event %s is published to %s again\n", letter.Letter.EventID, letter.Letter.Topic)
				return nil
			})
		},
	}
}

// withLetters runs do with a connection to the brokers.
func withLetters(cmd *cobra.Command, kafka *kafkaFlags, do func(context.Context, *deadletters.Client) error) error {
	at, err := kafka.settings(kafkausers.Operator)
	if err != nil {
		return err
	}
	letters, err := deadletters.Open(at)
	if err != nil {
		return err
	}
	defer letters.Close()
	ctx, stop := untilInterrupted(cmd)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, brokerTimeout)
	defer cancel()
	return do(ctx, letters)
}

func listLetters(ctx context.Context, cmd *cobra.Command, letters *deadletters.Client, limit int64, asJSON bool) error {
	all := []deadletters.Letter{}
	for _, topic := range deadletters.Topics() {
		found, err := letters.List(ctx, topic, limit)
		if err != nil {
			return err
		}
		all = append(all, found...)
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
			reason = "written by the sidecar: " + l.Problem
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", l.ID, l.At.Format("2006-01-02 15:04:05Z"), l.Letter.Consumer, l.Letter.EventID, oneLine(reason))
	}
	return w.Flush()
}
