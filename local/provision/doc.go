// Package provision makes what the services need in Postgres and Kafka before they start: databases, roles and topics.
//
// It promises that it can run again at any time, also while the services run. What exists stays as it is, except that a role
// gets the password in the secrets. It never drops anything. It never adds partitions to a topic, because that would move
// keys.
package provision
