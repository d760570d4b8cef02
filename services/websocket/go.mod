module github.com/taskwire/taskwire/services/websocket

go 1.26.4

replace (
	github.com/taskwire/taskwire/pkg/events => ../../pkg/events
	github.com/taskwire/taskwire/pkg/platform => ../../pkg/platform
)
