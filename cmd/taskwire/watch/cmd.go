package watch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// Command is `taskwire watch`.
func Command() *cobra.Command {
	var cfg Config
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Print a user's live updates, one frame of JSON a line",
		Long: "Connects to the WebSocket as a browser does and prints every frame. A cut connection is resumed from the\n" +
			"last seq that was printed, so nothing is missing and nothing comes twice. The access token is taken from\n" +
			"TASKWIRE_TOKEN, where the process list does not show it.",
		Example: "  export TASKWIRE_TOKEN=…            # access_token of POST /api/v1/auth/login\n" +
			"  taskwire watch                     # from now on, until Ctrl-C\n" +
			"  taskwire watch --since 0 --count 6 --timeout 60s",
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.Token, cfg.Out = os.Getenv("TASKWIRE_TOKEN"), cmd.OutOrStdout()
			if cfg.Token == "" {
				return errors.New("TASKWIRE_TOKEN is not set: it holds the access_token that POST /api/v1/auth/login answers")
			}
			cfg.Warn = func(why error) { fmt.Fprintf(cmd.ErrOrStderr(), "taskwire: %v; trying again\n", why) }
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			if timeout > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, timeout)
				defer cancel()
			}
			err := Run(ctx, cfg)
			if errors.Is(err, context.Canceled) && cfg.Count == 0 {
				return nil // Ctrl-C is how an endless watch ends
			}
			return err
		},
	}
	cmd.Flags().StringVar(&cfg.URL, "url", "http://localhost:8080", "address of the gateway")
	cmd.Flags().Int64Var(&cfg.Since, "since", -1, "print everything after this seq first (default: only what is new)")
	cmd.Flags().IntVar(&cfg.Count, "count", 0, "end after this many events and notifications (default: never)")
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "fail when --count is not reached in this time (default: no limit)")
	return cmd
}
