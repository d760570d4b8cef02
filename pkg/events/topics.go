package events

import "strings"

// The topics. Each event has one topic, and a topic carries one kind of event.
const (
	TopicTaskEvents    = "task-events"
	TopicTaskUpdates   = "task-updates"
	TopicReminders     = "reminders"
	TopicNotifications = "notifications"
)

// Partition counts. They are fixed when a topic is made: adding partitions later moves users to other partitions
// and breaks the order that the events of one user have.
const (
	taskPartitions       = 12 // 2, 3, 4, 6 or 12 consumers share them evenly
	reminderPartitions   = 6  // a reminder is far rarer than a change
	deadLetterPartitions = 1  // read by a person, in one list
)

// deadLetterSuffix makes the name of a topic's dead-letter topic.
const deadLetterSuffix = ".dlq"

// Topic is a topic and the number of partitions it is made with.
type Topic struct {
	Name       string
	Partitions int
}

// Topics returns every topic there is: the four event topics, then their dead-letter topics. The slice is the
// caller's own.
func Topics() []Topic {
	topics := []Topic{
		{TopicTaskEvents, taskPartitions},
		{TopicTaskUpdates, taskPartitions},
		{TopicReminders, reminderPartitions},
		{TopicNotifications, reminderPartitions},
	}
	for _, t := range topics {
		topics = append(topics, Topic{DeadLetterTopic(t.Name), deadLetterPartitions})
	}
	return topics
}

// DeadLetterTopic names the topic that takes the events of topic which can never be processed.
func DeadLetterTopic(topic string) string { return topic + deadLetterSuffix }

// IsDeadLetterTopic says whether name is one of those.
func IsDeadLetterTopic(name string) bool { return strings.HasSuffix(name, deadLetterSuffix) }
