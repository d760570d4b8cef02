package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/local/atomicfile"
	"github.com/taskwire/taskwire/local/components"
	"github.com/taskwire/taskwire/local/provision"
	"github.com/taskwire/taskwire/local/secretfile"
	"github.com/taskwire/taskwire/local/sidecarid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// prepareTimeout bounds the whole command. The servers run when it begins.
const prepareTimeout = time.Minute

// preparation is the input of `taskwire prepare`.
type preparation struct {
	brokers, components, secrets, out, migrate, trust string

	admin string // address of Postgres for its superuser
}

func prepareCommand() *cobra.Command {
	var p preparation
	cmd := &cobra.Command{
		Use:   "prepare",
		Short: "Create what a deployment needs before its containers start",
		Long: "Creates the databases and roles on the server at DATABASE_URL, the topics, the secrets of each app, and the resources\n" +
			"of its sidecar: OUT/APP gets secrets.json, resources/ and config.yaml. MIGRATE/APP/url gets the address with which the\n" +
			"app's database is migrated, for the container that does it. OUT/APP/sidecar.jwt, by which the sidecar gets its\n" +
			"certificate, is new each time, with its public key in TRUST/jwks.json. The others stay. Secrets are created once,\n" +
			"in the folder --secrets: back that folder up. docker-compose.yml runs this command first.",
		Example: "  DATABASE_URL=postgres://postgres:…@postgres:5432/postgres \\\n" +
			"    taskwire prepare --brokers redpanda:9092 --components /dapr-components --secrets /secrets --out /config --migrate /migrate --trust /trust",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if p.admin = os.Getenv("DATABASE_URL"); p.admin == "" {
				return errors.New("DATABASE_URL is not set: it must be the address of Postgres for a role that may create roles and databases")
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
	cmd.Flags().StringVar(&p.brokers, "brokers", "", "host:port of the Kafka brokers, separated by commas")
	cmd.Flags().StringVar(&p.components, "components", "dapr-components", "the folder dapr-components")
	cmd.Flags().StringVar(&p.secrets, "secrets", "", "folder that stores the secrets")
	cmd.Flags().StringVar(&p.out, "out", "", "folder for the files of each app and its sidecar, OUT/APP")
	cmd.Flags().StringVar(&p.migrate, "migrate", "", "folder for the addresses with which the databases are migrated, MIGRATE/APP/url")
	cmd.Flags().StringVar(&p.trust, "trust", "", "folder for the public key of the sidecars' tokens, which sentry reads")
	for _, needed := range []string{"brokers", "secrets", "out", "migrate", "trust"} {
		_ = cmd.MarkFlagRequired(needed) // fails only for an unknown flag
	}
	return cmd
}

func (p preparation) run(ctx context.Context, warn func(string)) error {
	secrets, err := secretfile.Load(p.secrets)
	if err != nil {
		return err
	}
	// The secrets are stored first: a crash must not leave the server with a password that is stored nowhere.
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
	for _, app := range apps.Databases() {
		if err := p.owner(app); err != nil {
			return fmt.Errorf("%s: %w", app, err)
		}
	}
	return p.tokens()
}

// tokens makes the tokens by which the sidecars get their certificates from sentry. Those of the last run end.
func (p preparation) tokens() error {
	files := map[string]string{}
	for _, app := range apps.All() {
		files[app] = filepath.Join(p.out, app, "sidecar.jwt")
	}
	return sidecarid.Issue(filepath.Join(p.trust, "jwks.json"), files)
}

// owner writes the file that only the migration of an app's database is given.
func (p preparation) owner(app string) error {
	url, err := secretfile.Value(p.secrets, secretfile.Migrate(app), secretfile.MigrateKey)
	if err != nil {
		return err
	}
	dir := filepath.Join(p.migrate, app)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, "url"), []byte(url+"\n"), 0o600)
}

// app writes the files of one app and its sidecar.
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
