module github.com/taskwire/taskwire/services/task-api

go 1.26.4

replace (
	github.com/taskwire/taskwire/pkg/events => ../../pkg/events
	github.com/taskwire/taskwire/pkg/platform => ../../pkg/platform
)

require (
	github.com/google/uuid v1.6.0
	github.com/taskwire/taskwire/pkg/events v0.0.0-00010101000000-000000000000
	github.com/taskwire/taskwire/pkg/platform v0.0.0-00010101000000-000000000000
	golang.org/x/text v0.43.0
)
