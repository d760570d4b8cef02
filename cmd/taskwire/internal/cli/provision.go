package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/local/provision"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/postgres"
)

const (
	// provisionWait is how long a server may take to come up: with its image to pull, some minutes.
	provisionWait = 10 * time.Minute
	// provisionPause is between two tries.
	provisionPause = time.Second
)

func provisionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "provision", Short: "Make the databases or the topics on servers of your own",
		Long: "Makes what the services need before they start. What is there already stays as it is, but for the roles' passwords,\n" +
			"which are set to those given. `taskwire up` does the same for its own servers; in Kubernetes it is a Job.",
		Example: "  taskwire provision topics --brokers kafka:9092",
		Args:    cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var brokers string
	topics := &cobra.Command{
		Use: "topics", Short: "Make the topics, with their partitions", Long: "Makes the topics that are missing, with their partitions and settings.\n\n" + kafkaconn.Help, Args: cobra.NoArgs,
		Example: "  taskwire provision topics --brokers kafka:9092",
		RunE: func(cmd *cobra.Command, _ []string) error {
			warn := func(w string) { fmt.Fprintln(cmd.ErrOrStderr(), w) }
			err := insist(cmd, func(ctx context.Context) (bool, error) {
				err := provision.EnsureTopics(ctx, brokers, events.Topics(), warn)
				return !errors.Is(err, kafkaconn.ErrSettings), err
			})
			if err == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "%d topics are there\n", len(events.Topics()))
			}
			return err
		},
	}
	topics.Flags().StringVar(&brokers, "brokers", "", "addresses of the brokers, host:port, with commas between")
	_ = topics.MarkFlagRequired("brokers") // it fails only for a flag that is not there

	var addresses []string
	databases := &cobra.Command{
		Use: "databases", Short: "Make the databases and their roles", Args: cobra.NoArgs,
		Long: "Makes the databases and their roles on the server at DATABASE_URL, as its administrator. The roles' passwords are\n" +
			"those in the addresses that the services have, each in a file.",
		Example: "  DATABASE_URL=postgres://postgres:…@postgres:5432/postgres \\\n    taskwire provision databases --address /secrets/task-api/database-url --address …",
		RunE: func(cmd *cobra.Command, _ []string) error {
			admin := os.Getenv("DATABASE_URL")
			if admin == "" {
				return errors.New("DATABASE_URL is not set: it is the address of Postgres as its administrator")
			}
			passwords, err := provision.Passwords(addresses)
			if err != nil {
				return err
			}
			password := func(role string) (string, error) {
				if p, ok := passwords[role]; ok {
					return p, nil
				}
				return "", errors.New("no --address has a password for it")
			}
			err = insist(cmd, func(ctx context.Context) (bool, error) {
				err := provision.EnsureDatabases(ctx, admin, password)
				return postgres.IsUnavailable(err), err
			})
			if err == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "%d databases are there\n", len(provision.Databases()))
			}
			return err
		},
	}
	databases.Flags().StringArrayVar(&addresses, "address", nil, "file with the address of a role's database; once for each role")
	cmd.AddCommand(databases, topics)
	return cmd
}

// insist tries again while the server is not up, and says once that it waits.
func insist(cmd *cobra.Command, try func(ctx context.Context) (again bool, err error)) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), provisionWait)
	defer cancel()
	for first := true; ; first = false {
		again, err := try(ctx)
		if err == nil || !again {
			return err
		}
		if first {
			fmt.Fprintln(cmd.ErrOrStderr(), "waiting for the server:", err)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(provisionPause):
		}
	}
}
