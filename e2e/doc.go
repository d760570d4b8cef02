// Package e2e tests Taskwire as its users meet it: the whole stack, started by the code behind `taskwire up` on free
// ports and in a temporary folder, driven over HTTP and the WebSocket through the gateway.
//
// It proves the promise of the project: every write that was answered 2xx is seen exactly once, in order, by the
// audit log, every open browser, the recurrence engine and the reminder engine, whatever process dies in between.
// No part is replaced by a double. A test reads Postgres or Kafka only to assert.
package e2e
