package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/cmd/taskwire/internal/watch"
	"github.com/taskwire/taskwire/local/atomicfile"
)

// refreshVariable holds the refresh token, out of the process list.
const refreshVariable = "TASKWIRE_REFRESH_TOKEN"

func watchCommand() *cobra.Command {
	var cfg watch.Config
	var refreshFile string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Print a user's live updates, one frame of JSON a line",
		Long: "Connects to the WebSocket as a browser does and prints every frame. A cut connection is resumed after the last\n" +
			"numbers that were printed, so each change and each notification is printed once. The access token comes from\n" +
			tokenVariable + ", which the process list does not show. When the server refuses the token, the command ends with\n" +
			"exit code 1 and the server's words.\n\n" +
			"With a refresh token the command gets a new access token instead, and goes on. The server replaces a refresh token with\n" +
			"each use and takes a used one for stolen: it ends the log-in. --refresh-token-file keeps the present one in a file\n" +
			"(mode 0600). " + refreshVariable + " is for a single run: its token is used up afterwards.",
		Example: "  export " + tokenVariable + "=…            # access_token of POST /api/v1/auth/login\n" +
			"  taskwire watch                     # from now on, until Ctrl-C\n" +
			"  taskwire watch --since 0 --count 6 --timeout 60s\n" +
			"  taskwire watch --refresh-token-file ~/.taskwire-login   # refresh_token of the same answer; runs for days",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.Token, cfg.Out = os.Getenv(tokenVariable), cmd.OutOrStdout()
			login, err := readLogin(cfg.URL, refreshFile)
			if err != nil {
				return err
			}
			if login != nil {
				cfg.Renew = login.Renew
			} else if cfg.Token == "" {
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
			err = watch.Run(ctx, cfg)
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
	cmd.Flags().StringVar(&refreshFile, "refresh-token-file", "", "file with the refresh token, which is replaced with each use (default: "+refreshVariable+")")
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "fail when --count is not reached in this time (default: no limit)")
	return cmd
}

// readLogin returns the log-in of the refresh token in the file, or in the environment; nil if there is none.
func readLogin(url, file string) (*watch.Login, error) {
	if file == "" {
		if token := os.Getenv(refreshVariable); token != "" {
			return &watch.Login{URL: url, Refresh: token}, nil
		}
		return nil, nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--refresh-token-file: %w", err)
	}
	token := strings.TrimSpace(string(raw))
	if token == "" {
		return nil, fmt.Errorf("--refresh-token-file: %s is empty: it must contain the refresh_token that POST /api/v1/auth/login returns", file)
	}
	save := func(token string) error { return atomicfile.WriteDurably(file, []byte(token+"\n"), loginMode) }
	return &watch.Login{URL: url, Refresh: token, Save: save}, nil
}

// loginMode is that of a private key: who reads the file has the account.
const loginMode = 0o600
