module github.com/taskwire/taskwire/pkg/events

go 1.26.4
