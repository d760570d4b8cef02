// Package components renders dapr-components/ for one sidecar outside of Kubernetes.
//
// The folder is the one source for every place where Taskwire runs. Kubernetes applies its files; local/ holds the differences
// on one machine, compose/ those under Docker Compose. Render takes the documents that are scoped to the app, merges the
// overrides over those of the same kind and name (merge.go), and fills the placeholders. An override without a document, a
// placeholder without a value and an app that no document names are errors, because a typing error must not drop a guard
// silently.
//
// Secrets never pass through here. The rendered files name the file with the sidecar's secrets. That file holds the secret with
// the app's name, the secret `kafka` with the sidecar's user, and for recurring-task the secret `statestore` with the key
// `connection-string`. The sidecar hands only the first to the app.
package components

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/taskwire/taskwire/local/kafkaconn"
)

// The places. Each is the name of the folder below Config.Source with its overrides.
const (
	Local   = "local"   // one machine: sidecars differ by their ports
	Compose = "compose" // Docker Compose: each app has a network of its own, and a name in the common network
)

// Config says what to render. All fields are needed, except Place, and NameResolutionFile outside of Local.
type Config struct {
	Source string // the folder dapr-components
	Place  string // Local (the default) or Compose
	Out    string // gets resources/ and config.yaml and loses earlier ones
	App    string // the app id

	Kafka              kafkaconn.Settings // how to connect; the user and its password are in the secret `kafka` and not taken from here
	SecretsFile        string             // the sidecar's secrets: {"SECRET":{"KEY":"VALUE"}}
	NameResolutionFile string             // by which the stack's sidecars find each other; one for each stack, made by the first
}

// Render writes the app's resources, each document in a file of its own, and its sidecar's configuration. It returns the values
// of daprd's --resources-path and --config.
func Render(cfg Config) (resourcesDir, configFile string, err error) {
	if cfg.Place == "" {
		cfg.Place = Local
	}
	fill, err := cfg.placeholders()
	if err != nil {
		return "", "", fmt.Errorf("components: %w", err)
	}
	docs, err := load(cfg.Source)
	if err != nil {
		return "", "", fmt.Errorf("components: %w", err)
	}
	overrides, err := load(filepath.Join(cfg.Source, cfg.Place))
	if err != nil {
		return "", "", fmt.Errorf("components: %w", err)
	}
	if err := override(docs, overrides); err != nil {
		return "", "", fmt.Errorf("components: %w", err)
	}
	mine, err := scopedTo(docs, cfg.App)
	if err != nil {
		return "", "", fmt.Errorf("components: %w", err)
	}
	for _, d := range mine {
		if d.body, err = fill.document(d.body); err != nil {
			return "", "", fmt.Errorf("components: %s: %w", d, err)
		}
	}
	if resourcesDir, configFile, err = write(cfg.Out, mine); err != nil {
		return "", "", fmt.Errorf("components: %w", err)
	}
	return resourcesDir, configFile, nil
}

// placeholders returns the values by name.
func (c Config) placeholders() (placeholders, error) {
	var missing []string
	for name, value := range map[string]string{"Source": c.Source, "Out": c.Out, "App": c.App, "Kafka.Brokers": c.Kafka.Brokers,
		"SecretsFile": c.SecretsFile, "NameResolutionFile": c.NameResolutionFile} {
		if value == "" && (name != "NameResolutionFile" || c.Place == Local) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return nil, fmt.Errorf("not set: %s", strings.Join(missing, ", "))
	}
	secrets, err := filepath.Abs(c.SecretsFile)
	if err != nil {
		return nil, err
	}
	fill := placeholders{"APP": c.App, "SECRETS_FILE": secrets}
	maps.Copy(fill, c.kafka())
	if c.NameResolutionFile == "" {
		return fill, nil
	}
	names, err := filepath.Abs(c.NameResolutionFile)
	if err != nil {
		return nil, err
	}
	// daprd expands $NAME in its configuration file, and SQLite reads the text after a ? as options.
	if strings.ContainsAny(names, "$?") {
		return nil, fmt.Errorf("name resolution file %s: its path may not contain $ or ?", names)
	}
	fill["NAME_RESOLUTION_FILE"] = names
	return fill, nil
}

// kafka returns the values that say how to connect to Kafka. Dapr's names differ from Kafka's.
func (c Config) kafka() placeholders {
	auth, mechanism := "none", strings.TrimPrefix(cmp.Or(c.Kafka.Mechanism, kafkaconn.ScramSHA512), "SCRAM-")
	if c.Kafka.Username != "" {
		auth = "password"
	}
	return placeholders{
		"BROKERS": c.Kafka.Brokers, "KAFKA_AUTH_TYPE": auth, "KAFKA_MECHANISM": mechanism,
		"KAFKA_WITHOUT_TLS": strconv.FormatBool(!c.Kafka.TLS), "KAFKA_CA": c.Kafka.CA,
	}
}

// scopedTo returns the documents for the app: those that name it and those that name no app.
func scopedTo(docs []*document, app string) ([]*document, error) {
	var mine []*document
	named := false
	for _, d := range docs {
		scopes, err := d.scopes()
		if err != nil {
			return nil, err
		}
		if slices.Contains(scopes, app) {
			named = true
		} else if len(scopes) > 0 {
			continue
		}
		mine = append(mine, d)
	}
	if !named {
		return nil, fmt.Errorf("no document is scoped to app %q", app)
	}
	return mine, nil
}

// write replaces the content of out by the documents.
func write(out string, docs []*document) (resourcesDir, configFile string, err error) {
	resourcesDir, configFile = filepath.Join(out, "resources"), filepath.Join(out, "config.yaml")
	if err := os.MkdirAll(out, 0o755); err != nil {
		return "", "", err
	}
	fresh, err := os.MkdirTemp(out, "resources-*")
	if err != nil {
		return "", "", err
	}
	defer func() { _ = os.RemoveAll(fresh) }() // after an error
	configured := false
	for _, d := range docs {
		raw, err := d.encode()
		if err != nil {
			return "", "", err
		}
		path := filepath.Join(fresh, strings.ToLower(d.kind)+"-"+d.name+".yaml")
		if d.kind == kindConfiguration {
			if configured {
				return "", "", fmt.Errorf("%s: a sidecar has only one configuration", d)
			}
			configured, path = true, configFile
		}
		if err := os.WriteFile(path, raw, 0o644); err != nil {
			return "", "", err
		}
	}
	if !configured {
		return "", "", errors.New("there is no Configuration")
	}
	if err := os.Chmod(fresh, 0o755); err != nil {
		return "", "", err
	}
	if err := os.RemoveAll(resourcesDir); err != nil {
		return "", "", err
	}
	return resourcesDir, configFile, os.Rename(fresh, resourcesDir)
}
