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
		Use: "user", Short: "Show or change the role of an account",
		Example: "  taskwire user role ada@example.com auditor",
		Args:    cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var data string
	role := &cobra.Command{
		Use:   "role EMAIL [" + strings.Join(users.Roles, "|") + "]",
		Short: "Show or change the role of an account",
		Long: "Shows the role of an account, or changes it. An auditor sees every entry of the audit log. No route of the API can\n" +
			"change a role. A change takes effect within 5 s in every service. It is an entry of the audit log.",
		Example: "  taskwire user role ada@example.com\n  taskwire user role ada@example.com auditor",
		Args:    cobra.ArbitraryArgs, // RunE has a better error than cobra
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return errors.New("whose role? Run taskwire user role EMAIL, and add the new role to change it: " + strings.Join(users.Roles, " or "))
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
	url, err := secretfile.Value(stack.SecretsDir(data), secretfile.Migrate(apps.TaskAPI), secretfile.MigrateKey)
	if err != nil {
		return err
	}
	email := args[0]
	if len(args) == 1 {
		role, err := users.Role(ctx, url, email)
		if err != nil {
			return fmt.Errorf("%s: %w", email, err)
		}
		fmt.Fprintf(out, "%s has the role %s\n", email, role)
		return nil
	}
	was, err := users.SetRole(ctx, url, email, args[1])
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", email, err)
	case was == args[1]:
		fmt.Fprintf(out, "%s already has the role %s\n", email, was)
	default:
		fmt.Fprintf(out, "%s has the role %s now (before: %s); it takes effect within 5 s\n", email, args[1], was)
	}
	return nil
}
