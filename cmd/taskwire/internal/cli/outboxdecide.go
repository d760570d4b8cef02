package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
)

func outboxShowCommand(f *outboxFlags) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show one parked event with its data", Example: "  taskwire outbox show 4711 --json",
		Long: "Shows a parked event. ID is the id of the list, or the event_id.",
		Args: oneEvent,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withParked(cmd, *f, args[0], func(_ context.Context, d namedStore, p outbox.Parked) error {
				return printEvent(cmd.OutOrStdout(), f.json, toJSON(d.database, p, true))
			})
		},
	}
}

// retried is what retry prints as JSON.
type retried struct {
	Database string `json:"database"`
	Retried  int    `json:"retried"`
}

func outboxRetryCommand(f *outboxFlags) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "retry ID | --all", Short: "Put a parked event back, so that it is published again",
		Long: "Puts a parked event, or all, back into the outbox. It is published behind everything that waits: the later events of\n" +
			"its task that went on meanwhile stay before it. Consumers that know a newer version of the task pass over it. An\n" +
			"event is not put back before an earlier parked one of its task and topic. One that is refused again is parked again,\n" +
			"under another id and the same event_id.",
		Example: "  taskwire outbox retry 4711\n  taskwire outbox retry --all --database tasks",
		Args: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) == 1) || len(args) > 1 {
				return errors.New("retry which event? Give one id, or --all")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if all {
				return retryAll(cmd, *f)
			}
			return withParked(cmd, *f, args[0], func(ctx context.Context, d namedStore, p outbox.Parked) error {
				if err := d.Retry(ctx, p.ID); err != nil {
					return err
				}
				return sayRetried(cmd.OutOrStdout(), f.json, []retried{{d.database, 1}})
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
	for _, d := range stores {
		n, err := d.RetryAll(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w (%d events were put back before)", d.database, err, n)
		}
		moved = append(moved, retried{d.database, n})
	}
	return sayRetried(cmd.OutOrStdout(), f.json, moved)
}

func sayRetried(out io.Writer, asJSON bool, moved []retried) error {
	if asJSON {
		return printJSON(out, moved)
	}
	for _, m := range moved {
		fmt.Fprintf(out, "%s: %d put back; the relay publishes it within a second of the broker taking it\n", m.Database, m.Retried)
	}
	return nil
}

func outboxDropCommand(f *outboxFlags) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "drop ID", Short: "Delete a parked event for good, and print it",
		Long: "Deletes a parked event: no consumer will ever see it. It prints the whole event, which is then the only copy. It asks\n" +
			"first; --yes answers beforehand.",
		Example: "  taskwire outbox drop 4711\n  taskwire outbox drop 4711 --yes --json > event.json",
		Args:    oneEvent,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withParked(cmd, *f, args[0], func(ctx context.Context, d namedStore, p outbox.Parked) error {
				if !yes {
					if err := confirm(cmd, p); err != nil {
						return err
					}
				}
				gone, err := d.Drop(ctx, p.ID)
				if err != nil {
					return err
				}
				return printEvent(cmd.OutOrStdout(), f.json, toJSON(d.database, gone, true))
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// confirm asks on stderr, so that what is printed can go to a file.
func confirm(cmd *cobra.Command, p outbox.Parked) error {
	in := cmd.InOrStdin()
	if file, ok := in.(*os.File); ok && !term.IsTerminal(int(file.Fd())) {
		return fmt.Errorf("event %d is not dropped: nobody is there to ask; say --yes", p.ID)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Drop event %d (%s of task %s) for good? No consumer will see it. [y/N] ", p.ID, p.Type, p.Subject)
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return fmt.Errorf("event %d is not dropped", p.ID)
	}
	return nil
}

// withParked finds the event in the databases that the flags mean.
func withParked(cmd *cobra.Command, f outboxFlags, id string, do func(context.Context, namedStore, outbox.Parked) error) error {
	ctx, stores, done, err := openParkedStores(cmd, f)
	if err != nil {
		return err
	}
	defer done()
	store, event, err := findParked(ctx, stores, id)
	if err != nil {
		return err
	}
	return do(ctx, store, event)
}

func printEvent(out io.Writer, asJSON bool, e parkedEvent) error {
	if asJSON {
		return printJSON(out, e)
	}
	printParked(out, e)
	return nil
}

func oneEvent(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return errors.New("which event? Give one id; `taskwire outbox` lists them")
	}
	return nil
}
