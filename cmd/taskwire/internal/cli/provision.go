package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/local/kafkausers"
	"github.com/taskwire/taskwire/local/provision"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/postgres"
)

const (
	// provisionWait is how long a server may take to start: some minutes if its image has to be pulled.
	provisionWait = 10 * time.Minute
	// provisionPause is the pause between two attempts.
	provisionPause = time.Second
)

func provisionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "provision", Short: "Create the databases or the topics on your own servers",
		Long: "Creates what the services need before they start. Existing databases and topics do not change; the passwords of the\n" +
			"roles are set to the given ones. `taskwire up` does the same for its own servers. In Kubernetes, a Job runs it.",
		Example: "  taskwire provision topics --brokers kafka:9092",
		Args:    cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var brokers, users string
	topics := &cobra.Command{
		Use: "topics", Short: "Create the topics, with their partitions, and the users with their rights", Args: cobra.NoArgs,
		Long: "Creates the missing topics, with their partitions and settings. With --users it also creates a user for each service and\n" +
			"for each tool, with the password in the file, and gives it the rights that it needs and no others (docs/kafka.md).\n\n" + kafkaconn.Help,
		Example: "  KAFKA_USERNAME=admin KAFKA_PASSWORD=… taskwire provision topics --brokers kafka:9092 --users users.json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			at, err := kafkaconn.FromEnvironment(brokers)
			if err != nil {
				return err
			}
			var passwords map[string]string
			if users != "" {
				if passwords, err = kafkausers.ReadPasswords(users); err != nil {
					return err
				}
			}
			warn := func(w string) { fmt.Fprintln(cmd.ErrOrStderr(), w) }
			err = retryUntilUp(cmd, func(ctx context.Context) (bool, error) {
				err := ensureKafka(ctx, at, passwords, warn)
				return !errors.Is(err, kafkaconn.ErrSettings) && !errors.Is(err, kafkausers.ErrRefused), err
			})
			if err == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "%d topics exist\n", len(events.Topics()))
			}
			return err
		},
	}
	topics.Flags().StringVar(&brokers, "brokers", "", "Kafka's brokers: host:port, separated by commas")
	topics.Flags().StringVar(&users, "users", "", "file with the passwords of the users: {\"USER\":\"PASSWORD\"}; `taskwire secrets` makes it")
	_ = topics.MarkFlagRequired("brokers") // fails only for an unknown flag

	var addresses []string
	databases := &cobra.Command{
		Use: "databases", Short: "Create the databases and their roles", Args: cobra.NoArgs,
		Long: "Creates the databases and their roles on the server at DATABASE_URL, as its administrator. The passwords of the roles\n" +
			"come from the addresses that the services use, each in a file.",
		Example: "  DATABASE_URL=postgres://postgres:…@postgres:5432/postgres \\\n    taskwire provision databases --address /secrets/task-api/database-url --address …",
		RunE: func(cmd *cobra.Command, _ []string) error {
			admin := os.Getenv("DATABASE_URL")
			if admin == "" {
				return errors.New("DATABASE_URL is not set: it must be the address of Postgres for its administrator")
			}
			passwords, err := provision.Passwords(addresses)
			if err != nil {
				return err
			}
			password := func(role string) (string, error) {
				if p, ok := passwords[role]; ok {
					return p, nil
				}
				return "", errors.New("no --address contains its password")
			}
			err = retryUntilUp(cmd, func(ctx context.Context) (bool, error) {
				err := provision.EnsureDatabases(ctx, admin, password)
				return postgres.IsUnavailable(err), err
			})
			if err == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "%d databases exist\n", len(provision.Databases()))
			}
			return err
		},
	}
	databases.Flags().StringArrayVar(&addresses, "address", nil, "file with the address of a role's database; repeat for each role")
	cmd.AddCommand(databases, topics)
	return cmd
}

// ensureKafka creates the topics, and the users if there are passwords for them.
func ensureKafka(ctx context.Context, at kafkaconn.Settings, passwords map[string]string, warn func(string)) error {
	if err := provision.EnsureTopics(ctx, at, events.Topics(), warn); err != nil {
		return err
	}
	if passwords == nil {
		return nil
	}
	client, err := at.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	return kafkausers.Ensure(ctx, client, passwords)
}

// retryUntilUp retries try while it reports that the server is not up, for provisionWait. It prints once that it waits.
func retryUntilUp(cmd *cobra.Command, try func(ctx context.Context) (notUp bool, err error)) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), provisionWait)
	defer cancel()
	waiting := false
	_, err := backoff.Retry(cmd.Context(), func() (struct{}, error) {
		notUp, err := try(ctx)
		if err != nil && (!notUp || ctx.Err() != nil) {
			return struct{}{}, backoff.Permanent(err)
		}
		if err != nil && !waiting {
			waiting = true
			fmt.Fprintln(cmd.ErrOrStderr(), "waiting for the server:", err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(backoff.NewConstantBackOff(provisionPause)), backoff.WithMaxElapsedTime(provisionWait))
	return err
}
