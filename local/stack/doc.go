// Package stack runs the whole of Taskwire on one machine from real parts: Postgres, a Kafka-protocol broker, the six
// services with a daprd sidecar each, and the gateway in front of them. `taskwire up` and the whole-stack tests use it.
//
// Promises:
//   - One stack at a time has a data folder, and the data outlives the stack. A file there that cannot be understood is
//     never overwritten: it is an error that names the file.
//   - A part that ends is started again. Every port is a free one, but for the gateway's where one is asked for, and
//     stays the part's own as long as the stack runs.
//   - Run returns when everything has stopped, at most 20 s after its context is done. The next New on the same data
//     folder cleans up after a stack that was killed.
//   - Secrets are made once and reach a service through its secret store, except for the address with which its database
//     is migrated: only that process gets it. The tokens between a service and its sidecar
//     are new with every run and never on disk.
//
// The parts start in this order: postgres and broker together, then the services, each after its database was migrated,
// their sidecars (APP-daprd) and the gateway, none of which waits for another. They stop the other way round, each before those that it needs: first the
// gateway together with the WebSocket service, whose close frames pass through it, then the services, the sidecars, the
// broker and Postgres.
package stack
