package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/local/kafkausers"
	"github.com/taskwire/taskwire/local/provision"
	"github.com/taskwire/taskwire/local/secretfile"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

const secretsHelp = `Prints new secrets for a cluster as a Kubernetes List: a Secret for each service that has any, which only its service
account may read; another with the address that migrates its database; the two tokens between each service and its sidecar;
the address of the state store; the users of Kafka, each in a Secret of its own and all of them in kafka-users; and the
administrator of Postgres. Nothing is stored, so the cluster has the only copy. Pipe it into ` + "`kubectl create`" + `, which
does not change a Secret that exists.`

func secretsCommand() *cobra.Command {
	var namespace, postgres, caFile string
	cmd := &cobra.Command{
		Use:     "secrets",
		Short:   "Print new Kubernetes Secrets for a cluster",
		Long:    secretsHelp,
		Example: "  taskwire secrets --postgres 'postgres://postgres@postgres:5432/postgres?sslmode=disable' | kubectl create -f -",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ca := ""
			if caFile != "" {
				raw, err := os.ReadFile(caFile)
				if err != nil {
					return fmt.Errorf("--kafka-ca: %w", err)
				}
				ca = string(raw)
			}
			list, err := clusterSecrets(namespace, postgres, ca)
			if err != nil {
				return err
			}
			out := json.NewEncoder(cmd.OutOrStdout())
			out.SetIndent("", "  ")
			return out.Encode(list)
		},
	}
	cmd.Flags().StringVar(&namespace, "namespace", "taskwire", "namespace of the Secrets")
	cmd.Flags().StringVar(&postgres, "postgres", "", "address of the server and its administrator's role, without a password")
	cmd.Flags().StringVar(&caFile, "kafka-ca", "", "file with the certificates of Kafka's CA in PEM; it is needed for a Kafka with TLS")
	_ = cmd.MarkFlagRequired("postgres") // fails only for an unknown flag
	return cmd
}

// object is the part of a Kubernetes object that this command needs.
type object struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   map[string]string `json:"metadata,omitempty"`
	Type       string            `json:"type,omitempty"`
	StringData map[string]string `json:"stringData,omitempty"`
	Items      []object          `json:"items,omitempty"`
}

func clusterSecrets(namespace, postgres, ca string) (object, error) {
	admin, err := url.Parse(postgres)
	if err != nil || admin.Host == "" || admin.User.Username() == "" {
		return object{}, errors.New("--postgres is not an address like postgres://ROLE@HOST:5432/postgres")
	}
	set, err := secretfile.New()
	if err != nil {
		return object{}, err
	}
	list := object{APIVersion: "v1", Kind: "List"}
	add := func(name string, data map[string]string) {
		list.Items = append(list.Items, object{
			APIVersion: "v1", Kind: "Secret", Type: "Opaque", Metadata: map[string]string{"name": name, "namespace": namespace}, StringData: data,
		})
	}
	for _, file := range secretfile.Files() {
		secrets, err := set.Of(file, func(role, password string) (string, error) { return provision.Address(postgres, role, password) })
		if err != nil {
			return object{}, err
		}
		for name, data := range secrets {
			if len(data) > 0 {
				add(name, data)
			}
		}
	}
	for _, app := range apps.All() {
		// Dapr requires the key "token", so each token needs its own Secret.
		add(app+"-app-token", map[string]string{"token": secretfile.NewToken()})
		add(app+"-dapr-token", map[string]string{"token": secretfile.NewToken()})
	}
	kafka := set.KafkaPasswords()
	for user, password := range kafka {
		add(kafkausers.Short(user)+"-kafka", map[string]string{"username": user, "password": password, "ca.crt": ca})
	}
	users, err := json.Marshal(kafka)
	if err != nil {
		return object{}, err
	}
	add("kafka-users", map[string]string{"users.json": string(users)})
	password := secretfile.NewToken()
	admin.User = url.UserPassword(admin.User.Username(), password)
	add("postgres-admin", map[string]string{"password": password, "url": admin.String()})
	slices.SortFunc(list.Items, func(a, b object) int { return strings.Compare(a.Metadata["name"], b.Metadata["name"]) })
	return list, nil
}
