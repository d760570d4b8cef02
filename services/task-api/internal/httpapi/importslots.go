package httpapi

import (
	"fmt"
	"sync"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/httpx"
)

const (
	// maxImports bounds those of the process. Each holds some MiB, and a connection to the database while it writes a
	// batch: half of them (DATABASE_CONNS) stay for everybody else.
	maxImports = 8
	// maxImportsOfUser lets a user begin again while the server has not noticed yet that the first connection is gone.
	// More would only wait for one another: the writes of a user come one after the other.
	maxImportsOfUser = 2
	// importRetry is about how long an import of some thousand tasks takes.
	importRetry = 10 * time.Second
)

// importSlots counts the imports that run.
type importSlots struct {
	mu     sync.Mutex
	all    int
	byUser map[string]int
}

func newImportSlots() *importSlots { return &importSlots{byUser: map[string]int{}} }

// take lets an import begin, or says why it cannot. Whoever takes one gives it back once, with release.
func (s *importSlots) take(userID string) (release func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.byUser[userID] >= maxImportsOfUser:
		return nil, httpx.TooManyRequests(fmt.Sprintf("You have %d imports running. Wait for one of them.", maxImportsOfUser), importRetry)
	case s.all >= maxImports:
		return nil, httpx.Unavailable("Too many imports are running. Try again.", importRetry, nil)
	}
	s.all++
	s.byUser[userID]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		if s.byUser[userID]--; s.byUser[userID] == 0 {
			delete(s.byUser, userID)
		}
	}, nil
}
