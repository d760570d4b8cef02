package main

import (
	"github.com/dapr/components-contrib/bindings/cron"
	k8snames "github.com/dapr/components-contrib/nameresolution/kubernetes"
	"github.com/dapr/components-contrib/nameresolution/sqlite"
	"github.com/dapr/components-contrib/pubsub/kafka"
	k8ssecrets "github.com/dapr/components-contrib/secretstores/kubernetes"
	"github.com/dapr/components-contrib/secretstores/local/file"
	postgresql "github.com/dapr/components-contrib/state/postgresql/v2"
	"github.com/dapr/dapr/pkg/components"
	"github.com/dapr/dapr/pkg/components/bindings"
	"github.com/dapr/dapr/pkg/components/configuration"
	"github.com/dapr/dapr/pkg/components/conversation"
	"github.com/dapr/dapr/pkg/components/crypto"
	"github.com/dapr/dapr/pkg/components/lock"
	middleware "github.com/dapr/dapr/pkg/components/middleware/http"
	"github.com/dapr/dapr/pkg/components/nameresolution"
	"github.com/dapr/dapr/pkg/components/pubsub"
	"github.com/dapr/dapr/pkg/components/secretstores"
	"github.com/dapr/dapr/pkg/components/state"
	"github.com/dapr/dapr/pkg/runtime/registry"
	"github.com/dapr/kit/logger"
)

// register registers the components that dapr-components/ names, locally and in Kubernetes, and no others. It passes empty
// registries too, because the runtime does not check for nil.
func register(runtimeLog, componentLog logger.Logger) *registry.Options {
	pubsub.DefaultRegistry.RegisterComponent(kafka.NewKafka, "kafka")
	bindings.DefaultRegistry.RegisterInputBinding(cron.NewCron, "cron")
	secretstores.DefaultRegistry.RegisterComponent(file.NewLocalSecretStore, "local.file")
	secretstores.DefaultRegistry.RegisterComponent(k8ssecrets.NewKubernetesSecretStore, "kubernetes")
	nameresolution.DefaultRegistry.RegisterComponent(sqlite.NewResolver, "sqlite")
	nameresolution.DefaultRegistry.RegisterComponent(k8snames.NewResolver, "kubernetes")
	// Only v2: Dapr keeps v1 for old tables. A component without `version: v2` must fail here and not use the old ones.
	v2 := components.VersionConstructor{Version: "v2", Constructor: postgresql.NewPostgreSQLStateStore}
	state.DefaultRegistry.RegisterComponentWithVersions("postgresql", components.Versioning{Preferred: v2, Default: "v2"})

	pubsub.DefaultRegistry.Logger = componentLog
	bindings.DefaultRegistry.Logger = componentLog
	secretstores.DefaultRegistry.Logger = componentLog
	nameresolution.DefaultRegistry.Logger = componentLog
	state.DefaultRegistry.Logger = componentLog
	configuration.DefaultRegistry.Logger = componentLog
	lock.DefaultRegistry.Logger = componentLog
	crypto.DefaultRegistry.Logger = componentLog
	conversation.DefaultRegistry.Logger = componentLog
	middleware.DefaultRegistry.Logger = runtimeLog

	return registry.NewOptions().
		WithPubSubs(pubsub.DefaultRegistry).
		WithBindings(bindings.DefaultRegistry).
		WithSecretStores(secretstores.DefaultRegistry).
		WithNameResolutions(nameresolution.DefaultRegistry).
		WithStateStores(state.DefaultRegistry).
		WithConfigurations(configuration.DefaultRegistry).
		WithLocks(lock.DefaultRegistry).
		WithCryptoProviders(crypto.DefaultRegistry).
		WithConversations(conversation.DefaultRegistry).
		WithHTTPMiddlewares(middleware.DefaultRegistry)
}
