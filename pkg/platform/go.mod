module github.com/taskwire/taskwire/pkg/platform

go 1.26.4

replace github.com/taskwire/taskwire/pkg/events => ../events
