// Package apps is the list of Taskwire's services. An app's name is its Dapr app id, its program, its image, its
// Kubernetes service and its Kafka consumer group.
//
// Go code takes the names from here. YAML, shell scripts, the Makefile and the release workflow cannot, so
// TestEveryCopyNamesTheSameApps compares them with this list.
package apps

// The apps.
const (
	TaskAPI       = "task-api"
	RecurringTask = "recurring-task"
	Audit         = "audit"
	AuditSigner   = "audit-signer"
	Notification  = "notification"
	WebSocket     = "websocket"
)

// All returns every app, in the order in which they are shown. The caller may change the slice.
func All() []string {
	return []string{TaskAPI, RecurringTask, Audit, AuditSigner, Notification, WebSocket}
}

// Public returns the apps that the gateway leads to. The recurrence engine and the signer of the audit log serve nothing
// to browsers.
func Public() []string { return []string{TaskAPI, Audit, Notification, WebSocket} }

// Databases returns the apps that migrate a database of their own, with `APP migrate`.
func Databases() []string { return []string{TaskAPI, Audit, Notification} }
