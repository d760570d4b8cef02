// Package stack runs the whole of Taskwire on one machine from real parts: Postgres, a Kafka-protocol broker, the five
// services with a daprd sidecar each, and the gateway in front of them. `taskwire up` and the whole-stack tests are
// this package.
//
// Promises:
//   - One stack at a time has a data folder, and the data in it outlives the stack. Nothing in it is overwritten
//     because it cannot be understood: that is an error which names it.
//   - A part that ends is started again; every port but the gateway's is a free one and stays the part's own as long as
//     the stack runs.
//   - Run returns when everything has stopped, 20 s after its context is done at the latest. A stack that was killed
//     is cleaned up by the next New on its data folder.
//   - Secrets are made once and reach a service by its secret store; the tokens between a service and its sidecar are
//     new with every run and never on disk.
//
// Parts, in the order in which they start: postgres and broker together, then the services, their sidecars
// (SERVICE-daprd) and the gateway, none of which waits for another. They stop the other way round, so that what is
// being worked on ends before what it needs: the gateway together with the WebSocket service, whose close frames pass
// through it, then the services, the sidecars, the broker, Postgres.
package stack
