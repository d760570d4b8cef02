module github.com/taskwire/taskwire/pkg/events/schematest

go 1.26.4

replace github.com/taskwire/taskwire/pkg/events => ..

require github.com/taskwire/taskwire/pkg/events v0.0.0

require github.com/santhosh-tekuri/jsonschema/v6 v6.0.3

require golang.org/x/text v0.14.0 // indirect
