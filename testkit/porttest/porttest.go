// Package porttest gives tests TCP ports of the loopback address that no other test and no connection takes while the test
// runs.
package porttest

import (
	"testing"

	"github.com/taskwire/taskwire/local/ports"
)

// Free returns n different free ports for processes that the test starts, ends and starts again. No other test, in this or
// another process, gets them before this test ends, and the system does not take them by itself.
func Free(t testing.TB, n int) []int {
	t.Helper()
	s := ports.NewSet()
	t.Cleanup(s.ReleaseAll)
	free := make([]int, n)
	for i := range free {
		free[i] = reserve(t, s)
	}
	s.Release(free...)
	return free
}

// Addr returns host:port of a port from Free.
func Addr(t testing.TB) string {
	t.Helper()
	return ports.Loopback(Free(t, 1)[0])
}

// Closed returns a port that refuses connections until the test ends. Nobody else can listen on it.
func Closed(t testing.TB) int {
	t.Helper()
	s := ports.NewSet()
	t.Cleanup(s.ReleaseAll)
	return reserve(t, s)
}

func reserve(t testing.TB, s *ports.Set) int {
	t.Helper()
	port, err := s.Free()
	if err != nil {
		t.Fatal(err)
	}
	return port
}
