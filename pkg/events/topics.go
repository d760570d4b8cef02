package events

import "strings"

// The topics. Each event has one topic. A topic carries one kind of event, but task-updates carries two: their event_type tells
// them apart.
const (
	TopicTaskEvents    = "task-events"
	TopicTaskUpdates   = "task-updates"
	TopicReminders     = "reminders"
	TopicNotifications = "notifications"
	TopicAccountEvents = "account-events"
	// TopicAuditCheckpoints has the signed checkpoints of the audit log, if its signer publishes them there. No app reads it.
	TopicAuditCheckpoints = "audit-checkpoints"
)

// Partition counts. They are fixed when a topic is created: adding partitions later moves users to other partitions and
// breaks the order of one user's events.
const (
	taskPartitions       = 12 // 2, 3, 4, 6 or 12 consumers share them evenly
	reminderPartitions   = 6  // a reminder is far rarer than a change
	accountPartitions    = 6  // so is a log-in
	deadLetterPartitions = 1  // an operator reads them, in one list
	checkpointPartitions = 1  // one log has one order
)

// deadLetterSuffix is appended to the name of a topic to name its dead-letter topic.
const deadLetterSuffix = ".dlq"

// Topic is a topic and the number of partitions with which it is created.
type Topic struct {
	Name       string
	Partitions int
}

// Topics returns every topic: the five event topics, their dead-letter topics, and the topic of the audit log's
// checkpoints, which has no consumer and so no dead letters. The caller may change the slice.
func Topics() []Topic {
	topics := []Topic{
		{TopicTaskEvents, taskPartitions},
		{TopicTaskUpdates, taskPartitions},
		{TopicReminders, reminderPartitions},
		{TopicNotifications, reminderPartitions},
		{TopicAccountEvents, accountPartitions},
	}
	for _, t := range topics {
		topics = append(topics, Topic{DeadLetterTopic(t.Name), deadLetterPartitions})
	}
	return append(topics, Topic{TopicAuditCheckpoints, checkpointPartitions})
}

// DeadLetterTopic returns the name of the topic for those events of topic that can never be processed.
func DeadLetterTopic(topic string) string { return topic + deadLetterSuffix }

// IsDeadLetterTopic reports whether name is the name of a dead-letter topic.
func IsDeadLetterTopic(name string) bool { return strings.HasSuffix(name, deadLetterSuffix) }
