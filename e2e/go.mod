module github.com/taskwire/taskwire/e2e

go 1.26.4

replace (
	github.com/taskwire/taskwire/pkg/events => ../pkg/events
	github.com/taskwire/taskwire/pkg/platform => ../pkg/platform
	github.com/taskwire/taskwire/cmd/taskwire => ../cmd/taskwire
)
