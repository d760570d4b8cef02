module github.com/taskwire/taskwire/pkg/recurrence

go 1.26.4

replace github.com/taskwire/taskwire/pkg/events => ../events

require github.com/taskwire/taskwire/pkg/events v0.0.0

require (
	github.com/teambition/rrule-go v1.8.2
	pgregory.net/rapid v1.3.0
)
