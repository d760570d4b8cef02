package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/local/components"
	"github.com/taskwire/taskwire/local/provision"
	"github.com/taskwire/taskwire/local/atomicfile"
	"github.com/taskwire/taskwire/local/secretfile"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// prepareTimeout is for all of it; the servers are up when it begins.
const prepareTimeout = time.Minute

// preparation is what `taskwire prepare` is told.
type preparation struct {
	brokers, components, secrets, out string
	admin                             string // address of Postgres as its superuser
}

func prepareCommand() *cobra.Command {
	var p preparation
	cmd := &cobra.Command{
		Use:   "prepare",
		Short: "Make what a deployment needs before its containers start",
		Long: "Makes the databases and roles on the server at DATABASE_URL, the topics, the secrets of each app, and the resources of its\n" +
			"sidecar: OUT/APP gets secrets.json, resources/ and config.yaml. What is there stays: secrets are made once, in the\n" +
			"folder --secrets, which is the one to keep. docker-compose.yml runs it before everything else.",
		Example: "  DATABASE_URL=postgres://postgres:…@postgres:5432/postgres \\\n" +
			"    taskwire prepare --brokers redpanda:9092 --components /dapr-components --secrets /secrets --out /config",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if p.admin = os.Getenv("DATABASE_URL"); p.admin == "" {
				return errors.New("DATABASE_URL is not set: it is the address of Postgres as a role that may make roles and databases")
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), prepareTimeout)
			defer cancel()
			if err := p.run(ctx, func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), "taskwire:", line) }); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "databases, topics, secrets and sidecars are prepared")
			return nil
		},
	}
	cmd.Flags().StringVar(&p.brokers, "brokers", "", "host:port of the Kafka brokers, with commas between")
	cmd.Flags().StringVar(&p.components, "components", "dapr-components", "the folder dapr-components")
	cmd.Flags().StringVar(&p.secrets, "secrets", "", "folder in which the secrets are kept")
	cmd.Flags().StringVar(&p.out, "out", "", "folder for what each app and its sidecar get, OUT/APP")
	for _, needed := range []string{"brokers", "secrets", "out"} {
		_ = cmd.MarkFlagRequired(needed) // it fails only for a flag that is not there
	}
	return cmd
}

func (p preparation) run(ctx context.Context, warn func(string)) error {
	secrets, err := secretfile.Load(p.secrets)
	if err != nil {
		return err
	}
	// Kept before anything else knows them: a password that the server has and nobody else would be lost with a crash.
	if err := secrets.Write(func(role, password string) (string, error) { return provision.Address(p.admin, role, password) }); err != nil {
		return err
	}
	if err := provision.EnsureDatabases(ctx, p.admin, secrets.Password); err != nil {
		return err
	}
	if err := provision.EnsureTopics(ctx, p.brokers, events.Topics(), warn); err != nil {
		return err
	}
	for _, app := range apps.All() {
		if err := p.app(app); err != nil {
			return fmt.Errorf("%s: %w", app, err)
		}
	}
	return nil
}

// app gives one app and its sidecar what is theirs.
func (p preparation) app(app string) error {
	dir := filepath.Join(p.out, app)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	raw, err := os.ReadFile(secretfile.Path(p.secrets, app))
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "secrets.json")
	if err := atomicfile.Write(file, raw, 0o600); err != nil {
		return err
	}
	_, _, err = components.Render(components.Config{
		Source: p.components, Place: components.Compose, Out: dir, App: app, Brokers: p.brokers, SecretsFile: file,
	})
	return err
}
