package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/cmd/taskwire/internal/watch"
)

func watchCommand() *cobra.Command {
	var cfg watch.Config
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Print a user's live updates, one frame of JSON a line",
		Long: "Connects to the WebSocket as a browser does and prints every frame. A cut connection is resumed after the last\n" +
			"numbers that were printed, so each change and each notification is printed once. The access token comes from " + tokenVariable + ", which the process\n" +
			"list does not show. When the server refuses the token, the command ends with exit code 1.",
		Example: "  export " + tokenVariable + "=…            # access_token of POST /api/v1/auth/login\n" +
			"  taskwire watch                     # from now on, until Ctrl-C\n" +
			"  taskwire watch --since 0 --count 6 --timeout 60s",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.Token, cfg.Out = os.Getenv(tokenVariable), cmd.OutOrStdout()
			if cfg.Token == "" {
				return errors.New(tokenVariable + " is not set: it must contain the access_token that POST /api/v1/auth/login returns")
			}
			cfg.Warn = func(reason error) { fmt.Fprintf(cmd.ErrOrStderr(), "taskwire: %v; retrying\n", reason) }
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			if timeout > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, timeout)
				defer cancel()
			}
			err := watch.Run(ctx, cfg)
			if errors.Is(err, context.Canceled) && cfg.Count == 0 {
				return nil // Ctrl-C is how an endless watch ends
			}
			return err
		},
	}
	cmd.Flags().StringVar(&cfg.URL, "url", "http://localhost:8080", "address of the gateway")
	cmd.Flags().Int64Var(&cfg.Since, "since", -1, "first print everything after this seq (default: only new changes)")
	cmd.Flags().Int64Var(&cfg.NotificationsSince, "notifications-since", -1, "first print every notification after this notification_seq (default: only new ones)")
	cmd.Flags().IntVar(&cfg.Count, "count", 0, "end after this many events and notifications (default: never)")
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "fail when --count is not reached in this time (default: no limit)")
	return cmd
}
