package auth

import (
	"crypto/sha256"
	"sync"
	"time"
)

// maxSeen bounds each of the two generations of a seen: 20,000 tokens, some 5 MB, are the users of many minutes.
const maxSeen = 10_000

// seen remembers tokens that were found good, by their SHA-256, so that the signature of a token is checked once and
// not with each request. It belongs to one fetch of a key set and goes with it: what a key that was taken out has
// signed is then checked again. It is bounded: of two generations the older one is forgotten when the younger is full.
// It is safe for concurrent use.
type seen struct {
	mu         sync.Mutex
	young, old map[[sha256.Size]byte]good
}

type good struct {
	id   Identity
	from time.Time // when it was found good; before, it may have been too early for it
}

func newSeen() *seen { return &seen{young: map[[sha256.Size]byte]good{}} }

func (s *seen) find(sum [sha256.Size]byte, now time.Time) (Identity, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, ok := s.young[sum]
	if !ok {
		if g, ok = s.old[sum]; ok {
			s.put(sum, g)
		}
	}
	if !ok || now.Before(g.from) || !now.Before(g.id.ExpiresAt) { // by how much it may be late is not decided here
		return Identity{}, false
	}
	return g.id, true
}

func (s *seen) add(sum [sha256.Size]byte, id Identity, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(sum, good{id, now})
}

func (s *seen) put(sum [sha256.Size]byte, g good) {
	if len(s.young) >= maxSeen {
		s.old, s.young = s.young, make(map[[sha256.Size]byte]good, maxSeen)
	}
	s.young[sum] = g
}

// once is what check says of a token, which is asked only where it is not known already. Tokens are not known longer
// than maxKeysAge after the keys were fetched: then check fetches them anew.
func (v *keyCache[K]) once(token string, check func() (Identity, error)) (Identity, error) {
	now := v.now()
	set := v.cached()
	if set == nil || now.Sub(set.fetched) >= maxKeysAge {
		return check()
	}
	sum := sha256.Sum256([]byte(token))
	if id, ok := set.seen.find(sum, now); ok {
		return id, nil
	}
	id, err := check()
	if err == nil {
		set.seen.add(sum, id, now)
	}
	return id, err
}
