// Package events is the contract between the services of Taskwire: the topics, the events on them, their rules and
// their JSON.
package events
