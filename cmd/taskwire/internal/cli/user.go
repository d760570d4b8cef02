package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/cmd/taskwire/internal/users"
	"github.com/taskwire/taskwire/local/secretfile"
	"github.com/taskwire/taskwire/local/stack"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

func userCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "user", Short: "Look at an account, or make it an auditor's",
		Example: "  taskwire user role ada@example.com auditor",
		Args:    cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var data string
	role := &cobra.Command{
		Use:   "role EMAIL [" + strings.Join(users.Roles, "|") + "]",
		Short: "Show or change the role of an account",
		Long: "Shows the role of an account, or changes it. An auditor sees every entry of the audit log; there is no route that makes\n" +
			"one. A change holds with the account's next access token, that is after at most 15 minutes, or at once after\n" +
			"logging in again.",
		Example: "  taskwire user role ada@example.com\n  taskwire user role ada@example.com auditor",
		Args:    cobra.ArbitraryArgs, // the error below is better than cobra's
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return errors.New("whose role? taskwire user role EMAIL, and behind it the new role: " + strings.Join(users.Roles, " or "))
			}
			data, err := findData(data)
			if err != nil {
				return err
			}
			return runUserRole(cmd.Context(), data, args, cmd.OutOrStdout())
		},
	}
	dataFlag(role, &data)
	cmd.AddCommand(role)
	return cmd
}

func runUserRole(ctx context.Context, data string, args []string, out io.Writer) error {
	url, err := secretfile.Value(stack.SecretsDir(data), apps.TaskAPI, "migrate-url")
	if err != nil {
		return err
	}
	email := args[0]
	if len(args) == 1 {
		role, err := users.Role(ctx, url, email)
		if err != nil {
			return fmt.Errorf("%s: %w", email, err)
		}
		fmt.Fprintf(out, "%s is %s\n", email, role)
		return nil
	}
	was, err := users.SetRole(ctx, url, email, args[1])
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", email, err)
	case was == args[1]:
		fmt.Fprintf(out, "%s is %s already\n", email, was)
	default:
		fmt.Fprintf(out, "%s is %s now (was %s); it holds with the next access token, after at most 15 minutes\n", email, args[1], was)
	}
	return nil
}
