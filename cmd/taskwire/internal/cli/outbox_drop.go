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

func outboxDropCommand(f *outboxFlags) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "drop ID", Short: "Delete a parked event for good, and print it",
		Long: "Deletes a parked event: no consumer will ever see it. It prints the whole event, which is then the only copy. It asks\n" +
			"first; --yes answers in advance.",
		Example: "  taskwire outbox drop 4711\n  taskwire outbox drop 4711 --yes --json > event.json",
		Args:    oneEvent,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withParked(cmd, *f, args[0], func(ctx context.Context, s namedStore, p outbox.Parked) error {
				if !yes {
					if err := confirmDrop(cmd, p); err != nil {
						return err
					}
				}
				dropped, err := s.Drop(ctx, p.ID)
				if err != nil {
					return err
				}
				return printEvent(cmd.OutOrStdout(), f.json, toJSON(s.database, dropped, true))
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// confirmDrop asks on stderr, so that the printed event can go to a file.
func confirmDrop(cmd *cobra.Command, p outbox.Parked) error {
	in := cmd.InOrStdin()
	if file, ok := in.(*os.File); ok && !term.IsTerminal(int(file.Fd())) {
		return fmt.Errorf("event %d is not dropped: there is no terminal to ask on; confirm with --yes", p.ID)
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
