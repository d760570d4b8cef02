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
	"github.com/taskwire/taskwire/local/auditsigner"
	"github.com/taskwire/taskwire/local/components"
	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/local/kafkausers"
	"github.com/taskwire/taskwire/local/provision"
	"github.com/taskwire/taskwire/local/secretfile"
	"github.com/taskwire/taskwire/local/sidecarid"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// prepareTimeout bounds the whole command. The servers run when it begins.
const prepareTimeout = time.Minute

// secretsJSON is the name of a file of secrets in the folder of an app or a sidecar.
const secretsJSON = "secrets.json"

// preparation is the input of `taskwire prepare`.
type preparation struct {
	components, secrets, out, migrate, state, trust string
	kafka                                           kafkaconn.Settings
	admin                                           string // address of Postgres for its superuser
}

func prepareCommand() *cobra.Command {
	var p preparation
	var brokers string
	cmd := &cobra.Command{
		Use:   "prepare",
		Short: "Create what a deployment needs before its containers start",
		Long: "Creates the databases and roles on the server at DATABASE_URL, the topics and the users of Kafka, the secrets of each app,\n" +
			"and the resources of its sidecar. OUT/APP gets secrets.json for an app that has any; OUT/APP-daprd gets secrets.json,\n" +
			"resources/ and config.yaml for its sidecar. MIGRATE/APP/url gets the address with which the app's database is migrated,\n" +
			"for the container that does it. OUT/APP-daprd/sidecar.jwt, by which the sidecar gets its certificate, is new each time,\n" +
			"with its public key in TRUST/jwks.json. The others stay. Secrets are created once, in the folder --secrets: back that folder\n" +
			"up. docker-compose.yml runs this command first.\n\n" + kafkaconn.Help,
		Example: "  DATABASE_URL=postgres://postgres:…@postgres:5432/postgres KAFKA_USERNAME=taskwire-admin KAFKA_PASSWORD=… KAFKA_TLS=false \\\n" +
			"    taskwire prepare --brokers redpanda:9092 --components /dapr-components --secrets /secrets --out /config --migrate /migrate --state /state --trust /trust",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if p.admin = os.Getenv("DATABASE_URL"); p.admin == "" {
				return errors.New("DATABASE_URL is not set: it must be the address of Postgres for a role that may create roles and databases")
			}
			var err error
			if p.kafka, err = kafkaconn.FromEnvironment(brokers); err != nil {
				return err
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
	cmd.Flags().StringVar(&brokers, "brokers", "", "host:port of the Kafka brokers, separated by commas")
	cmd.Flags().StringVar(&p.components, "components", "dapr-components", "the folder dapr-components")
	cmd.Flags().StringVar(&p.secrets, "secrets", "", "folder that stores the secrets")
	cmd.Flags().StringVar(&p.out, "out", "", "folder for the files of each app and its sidecar, OUT/APP and OUT/APP-daprd")
	cmd.Flags().StringVar(&p.state, "state", "", "folder of the volume of the audit log's signer, which is told to begin when its key is new")
	cmd.Flags().StringVar(&p.migrate, "migrate", "", "folder for the addresses with which the databases are migrated, MIGRATE/APP/url")
	cmd.Flags().StringVar(&p.trust, "trust", "", "folder for the public key of the sidecars' tokens, which sentry reads")
	for _, needed := range []string{"brokers", "secrets", "out", "migrate", "state", "trust"} {
		_ = cmd.MarkFlagRequired(needed) // fails only for an unknown flag
	}
	return cmd
}

func (p preparation) run(ctx context.Context, warn func(string)) error {
	secrets, err := secretfile.Load(p.secrets)
	if err != nil {
		return err
	}
	if secrets.NewLog() { // before the key is on disk: a crash in between repeats the order
		if err := auditsigner.Begin(auditsigner.Dir(p.state)); err != nil {
			return err
		}
	}
	// The secrets are stored first: a crash must not leave the server with a password that is stored nowhere.
	if err := secrets.Write(func(role, password string) (string, error) { return provision.Address(p.admin, role, password) }); err != nil {
		return err
	}
	if err := provision.EnsureDatabases(ctx, p.admin, secrets.Password); err != nil {
		return err
	}
	passwords := secrets.KafkaPasswords()
	if p.kafka.Username == "" {
		passwords = nil
		warn("Kafka asks for no password (KAFKA_USERNAME is not set): anybody who reaches it can forge events")
	}
	if err := ensureKafka(ctx, p.kafka, passwords, warn); err != nil {
		return err
	}
	for _, app := range apps.All() {
		if err := p.app(app, passwords[kafkausers.Of(app)]); err != nil {
			return fmt.Errorf("%s: %w", app, err)
		}
	}
	for _, app := range apps.Databases() {
		if err := p.owner(app); err != nil {
			return fmt.Errorf("%s: %w", app, err)
		}
	}
	if err := p.tokens(); err != nil {
		return err
	}
	return p.metrics(passwords[kafkausers.Metrics])
}

// tokens makes the tokens by which the sidecars get their certificates from sentry. Those of the last run end.
func (p preparation) tokens() error {
	files := map[string]string{}
	for _, app := range apps.All() {
		files[app] = filepath.Join(p.out, app+"-daprd", "sidecar.jwt")
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

// metrics writes the password of `taskwire kafka-metrics`.
func (p preparation) metrics(password string) error {
	dir := filepath.Join(p.out, "kafka-metrics")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, "password"), []byte(password), 0o600)
}

// app writes the files of one app and of its sidecar. They are apart, because the app may not read what its sidecar may.
func (p preparation) app(app, password string) error {
	own, sidecar := filepath.Join(p.out, app), filepath.Join(p.out, app+"-daprd")
	at := p.kafka
	if at.Username != "" {
		at = at.As(kafkausers.Of(app), password)
	}
	if err := secretfile.WriteSidecar(p.secrets, app, at.Username, at.Password); err != nil {
		return err
	}
	if err := copySecrets(secretfile.SidecarPath(p.secrets, app), sidecar); err != nil {
		return err
	}
	if secretfile.HasOwn(app) {
		if err := copySecrets(secretfile.Path(p.secrets, app), own); err != nil {
			return err
		}
	}
	_, _, err := components.Render(components.Config{
		Source: p.components, Place: components.Compose, Out: sidecar, App: app, Kafka: at, SecretsFile: filepath.Join(sidecar, secretsJSON),
	})
	return err
}

func copySecrets(from, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, secretsJSON), raw, 0o600)
}
