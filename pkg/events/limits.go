package events

// Limits of the fields. Lengths are in characters (Unicode code points), so a limit means the same in every language. The
// HTTP API, the page and the database use the same numbers.
const (
	MaxTitle       = 500    // one line in a list
	MaxDescription = 10_000 // some pages of text; larger content belongs in a file
	MaxTags        = 20     // as many as a page can show on one task
	MaxTag         = 50     // some words
	MaxTimezone    = 64     // the longest IANA name has 32
	MaxRRule       = 500    // every rule with all BY parts fits
	MaxExDates     = 100    // two years of weeks; more exceptions are another rule
	MaxActor       = 100    // a user's id or a service's name
	MaxCausationID = 200    // an event's id, a request's id or an idempotency key
	MaxEventType   = 50     // one word
	MaxChanges     = 50     // twice the fields of a task
	MaxFieldName   = 100    // a wire name
	MaxKind        = 50     // one word
	MaxBody        = 10_000 // it may quote a description
	MaxReason      = 2_000  // several wrapped errors; a longer reason is cut
	MaxAddress     = 45     // the longest IP address: IPv6 that ends with an IPv4 address
	MaxDevice      = 200    // a browser's User-Agent has about 120; a longer one is cut
	MaxRole        = 50     // one word
	MaxSessionIDs  = 100    // as many as an account has; more are in several events

	MaxSessionReason = 200 // one sentence
	MaxName          = 200 // a topic (Kafka allows 249, less ".dlq") or a service
)

// MaxEventBytes bounds an encoded event. It is half of what a Kafka broker accepts by default (1 MiB), so that the CloudEvent
// around the event fits too. It is twice what the longest texts above need: only the values in changes can exceed it.
const MaxEventBytes = 512 << 10
