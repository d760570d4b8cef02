package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
)

// retried is what retry prints as JSON.
type retried struct {
	Database string `json:"database"`
	Retried  int    `json:"retried"`
}

func outboxRetryCommand(f *outboxFlags) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "retry ID | --all", Short: "Put a parked event back, so that it is published again",
		Long: "Puts a parked event, or all of them, back into the outbox. It is published after everything that waits, so the later\n" +
			"events of its task stay before it. Consumers that know a newer version of the task skip it. An event is not put back\n" +
			"before an earlier parked event of its task and topic. An event that is refused again is parked again, with another\n" +
			"id and the same event_id.",
		Example: "  taskwire outbox retry 4711\n  taskwire outbox retry --all --database tasks",
		Args: func(_ *cobra.Command, args []string) error {
			if all == (len(args) == 1) || len(args) > 1 {
				return errors.New("retry which event? Give one id, or --all")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if all {
				return retryAll(cmd, *f)
			}
			return withParked(cmd, *f, args[0], func(ctx context.Context, s namedStore, p outbox.Parked) error {
				if err := s.Retry(ctx, p.ID); err != nil {
					return err
				}
				return printRetried(cmd.OutOrStdout(), f.json, []retried{{s.database, 1}})
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "every parked event, in the order in which they were made")
	return cmd
}

func retryAll(cmd *cobra.Command, f outboxFlags) error {
	ctx, stores, done, err := openParkedStores(cmd, f)
	if err != nil {
		return err
	}
	defer done()
	moved := []retried{}
	for _, s := range stores {
		n, err := s.RetryAll(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w (%d events were put back before)", s.database, err, n)
		}
		moved = append(moved, retried{s.database, n})
	}
	return printRetried(cmd.OutOrStdout(), f.json, moved)
}

func printRetried(out io.Writer, asJSON bool, moved []retried) error {
	if asJSON {
		return printJSON(out, moved)
	}
	for _, m := range moved {
		fmt.Fprintf(out, "%s: %d put back; the relay publishes them as soon as the broker accepts them\n", m.Database, m.Retried)
	}
	return nil
}
