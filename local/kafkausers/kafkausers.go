// Package kafkausers is the one list of who may do what on Kafka.
//
// The broker of `make up`, the provisioning step of every deployment and the table in docs/kafka.md are made from this list.
// Tests compare it with the scopes in dapr-components/, which say the same to the sidecars, and with the manifests.
//
// Promises: an app writes only the topics whose events it makes, and the dead-letter topics of what it reads. It reads only its
// topics, in its own consumer groups. What is not in the list is refused. Only the administrator may change topics, users and
// rights, and no service has that user.
package kafkausers

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// prefix begins every user's name, because a cluster may have users of other applications.
const prefix = "taskwire-"

// The users that are not apps.
const (
	// Admin creates topics, users and rights. A broker grants it everything without an entry in its list of rights.
	Admin = prefix + "admin"
	// Operator is the user of `taskwire consumers` and `taskwire dlq`.
	Operator = prefix + "operator"
	// Metrics is the user of `taskwire kafka-metrics`, which also removes the groups of replicas that are gone.
	Metrics = prefix + "metrics"
	// Autoscaler is the user of KEDA, which asks how far behind a group is.
	Autoscaler = prefix + "autoscaler"
)

// FanoutGroups begins the names of the consumer groups of single replicas. The name of the pod follows, which begins with the
// app's name (dapr-components/kafka-fanout.yaml).
const FanoutGroups = "ws-"

// Of returns the name of an app's user. Its sidecar logs in with it; the app has no user.
func Of(app string) string { return prefix + app }

// Short returns the name of a user without the part that all have in common.
func Short(user string) string { return strings.TrimPrefix(user, prefix) }

// User is a user and its rights.
type User struct {
	Name   string
	For    string // who uses it, in words
	Rights []Right
}

// Right allows operations on a resource. A user who may read or write a topic may describe it too.
type Right struct {
	Kind       kmsg.ACLResourceType // topic or group
	Name       string               // of the resource; "*" is every one
	Prefix     bool                 // all resources whose names begin with Name
	Operations []kmsg.ACLOperation
}

// role is what an app does with Kafka.
type role struct {
	app     string
	makes   []string // events that it publishes
	takes   []string // events that one of its replicas gets
	follows []string // events that each of its replicas gets
}

var roles = []role{
	{
		app:     apps.TaskAPI,
		makes:   []string{events.TopicTaskEvents, events.TopicTaskUpdates, events.TopicReminders, events.TopicAccountEvents},
		follows: []string{events.TopicAccountEvents},
	},
	{app: apps.RecurringTask, takes: []string{events.TopicTaskEvents}},
	{
		app:     apps.Audit,
		takes:   []string{events.TopicTaskEvents, events.TopicAccountEvents},
		follows: []string{events.TopicAccountEvents},
	},
	{app: apps.AuditSigner, makes: []string{events.TopicAuditCheckpoints}},
	{
		app:     apps.Notification,
		makes:   []string{events.TopicNotifications},
		takes:   []string{events.TopicReminders},
		follows: []string{events.TopicAccountEvents},
	},
	{app: apps.WebSocket, follows: []string{events.TopicTaskUpdates, events.TopicNotifications, events.TopicAccountEvents}},
}

// All returns every user but the administrator: the apps, then the others. The caller may change the slice.
func All() []User {
	var all []User
	for _, app := range apps.All() {
		r := role{app: app} // an app that does nothing with Kafka has a user too, because its sidecar loads the component
		if i := slices.IndexFunc(roles, func(r role) bool { return r.app == app }); i >= 0 {
			r = roles[i]
		}
		all = append(all, r.user())
	}
	return append(all, operator(), metrics(), autoscaler())
}

// Names returns the name of every user, the administrator first.
func Names() []string {
	names := []string{Admin}
	for _, u := range All() {
		names = append(names, u.Name)
	}
	return names
}

func (r role) user() User {
	u := User{Name: Of(r.app), For: "the sidecar of " + r.app}
	reads := slices.Concat(r.takes, r.follows)
	slices.Sort(reads)
	reads = slices.Compact(reads)
	writes := slices.Clone(r.makes)
	for _, topic := range reads {
		writes = append(writes, events.DeadLetterTopic(topic))
	}
	for _, topic := range reads {
		u.Rights = append(u.Rights, onTopic(topic, kmsg.ACLOperationRead))
	}
	for _, topic := range writes {
		u.Rights = append(u.Rights, onTopic(topic, kmsg.ACLOperationWrite))
	}
	if len(r.takes) > 0 {
		u.Rights = append(u.Rights, onGroup(r.app, kmsg.ACLOperationRead))
	}
	if len(r.follows) > 0 {
		u.Rights = append(u.Rights, withPrefix(onGroup(FanoutGroups+r.app+"-", kmsg.ACLOperationRead)))
	}
	return u
}

// operator reads dead letters and publishes their events again.
func operator() User {
	u := User{Name: Operator, For: "`taskwire consumers`, `taskwire dlq`", Rights: []Right{onGroup("*", kmsg.ACLOperationDescribe)}}
	for _, t := range events.Topics() {
		if t.Name == events.TopicAuditCheckpoints {
			continue // it has no dead letters, and nobody but the signer may write there
		}
		op := kmsg.ACLOperationWrite
		if events.IsDeadLetterTopic(t.Name) {
			op = kmsg.ACLOperationRead
		}
		u.Rights = append(u.Rights, onTopic(t.Name, op))
	}
	return u
}

func metrics() User {
	u := User{Name: Metrics, For: "`taskwire kafka-metrics`", Rights: []Right{
		onGroup("*", kmsg.ACLOperationDescribe), withPrefix(onGroup(FanoutGroups, kmsg.ACLOperationDelete)),
	}}
	for _, t := range events.Topics() {
		u.Rights = append(u.Rights, onTopic(t.Name, kmsg.ACLOperationDescribe))
	}
	return u
}

// autoscaler compares the offsets of the groups that scale by lag with the ends of their topics.
func autoscaler() User {
	u := User{Name: Autoscaler, For: "KEDA"}
	var topics []string
	for _, r := range roles {
		if len(r.takes) > 0 {
			u.Rights = append(u.Rights, onGroup(r.app, kmsg.ACLOperationDescribe))
			topics = append(topics, r.takes...)
		}
	}
	slices.Sort(topics)
	for _, topic := range slices.Compact(topics) {
		u.Rights = append(u.Rights, onTopic(topic, kmsg.ACLOperationDescribe))
	}
	return u
}

func onTopic(name string, ops ...kmsg.ACLOperation) Right {
	return Right{Kind: kmsg.ACLResourceTypeTopic, Name: name, Operations: ops}
}

func onGroup(name string, ops ...kmsg.ACLOperation) Right {
	return Right{Kind: kmsg.ACLResourceTypeGroup, Name: name, Operations: ops}
}

func withPrefix(r Right) Right {
	r.Prefix = true
	return r
}
