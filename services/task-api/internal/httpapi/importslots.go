package httpapi

import (
	"fmt"
	"sync"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/httpx"
)

const (
	// maxImports bounds the imports of the process. Each holds some MiB of memory, and a database connection while it writes
	// a batch. Half of the connections (DATABASE_CONNS, 16 by default) stay free for other requests.
	maxImports = 8
	// maxImportsOfUser is two, so that a user can repeat an import before the server notices that the first connection is
	// closed. More would not be faster: a lock serializes the writes of a user.
	maxImportsOfUser = 2
	// importRetry is the Retry-After of a refused import: about the time that an import of some thousand tasks takes.
	importRetry = 10 * time.Second
)

// importSlots counts the running imports of the process and of each user.
type importSlots struct {
	mu     sync.Mutex
	all    int
	byUser map[string]int
}

func newImportSlots() *importSlots { return &importSlots{byUser: map[string]int{}} }

// take reserves a place for an import. The caller calls release once, when the import ends. The error is a 429 if the user has
// too many imports, and a 503 if the process has too many.
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
