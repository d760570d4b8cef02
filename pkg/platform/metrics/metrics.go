// Package metrics registers Prometheus collectors that several parts of one process share.
package metrics

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// Register registers c with r and returns it. When another part of the process has registered the same metric, Register
// returns that collector instead. Without a registerer it only returns c. It panics when two different metrics have one
// name, which is a mistake in the program.
func Register[T prometheus.Collector](r prometheus.Registerer, c T) T {
	if r == nil {
		return c
	}
	err := r.Register(c)
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if same, ok := already.ExistingCollector.(T); ok {
			return same
		}
	}
	if err != nil {
		panic(err)
	}
	return c
}
