// Package provision makes what the services need in Postgres and Kafka before they start: databases and roles, topics.
//
// It promises that it can run again at any time, also beside running services: what is there already stays as it is,
// but for a role's password, which is set to the one in the secrets. It never drops anything and never adds partitions
// to a topic that has events, because that would move keys.
package provision
