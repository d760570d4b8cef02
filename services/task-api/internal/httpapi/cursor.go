package httpapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// macBytes is how many bytes of the HMAC-SHA-256 a cursor has: nobody can guess 128 bits.
const macBytes = 16

// cursors makes and reads the cursors of lists. A cursor is the place where a page ended. It is signed together with the user
// and the query, so it is valid for the same list of the same user only.
type cursors struct{ key []byte }

// make returns the cursor of a place, or "" for nil.
func (k cursors) make(userID string, q domain.Query, at *domain.Place) (string, error) {
	if at == nil {
		return "", nil
	}
	place, err := json.Marshal([]string{at.Key, at.ID})
	if err != nil {
		return "", fmt.Errorf("make cursor: %w", err)
	}
	mac, err := k.mac(userID, q, place)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(append(mac, place...)), nil
}

// read returns the place of a cursor. It refuses a cursor that was made for another user or query.
func (k cursors) read(userID string, q domain.Query, cursor string) (*domain.Place, error) {
	refused := httpx.Invalid("cursor", "is not a cursor of this list: the filters and the order must stay the same from page to page")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) <= macBytes {
		return nil, refused
	}
	mac, err := k.mac(userID, q, raw[macBytes:])
	if err != nil {
		return nil, err
	}
	var place []string
	if !hmac.Equal(mac, raw[:macBytes]) || json.Unmarshal(raw[macBytes:], &place) != nil || len(place) != 2 {
		return nil, refused
	}
	return &domain.Place{Key: place[0], ID: place[1]}, nil
}

// mac signs a place together with the user and the query. Each part is written with its length, so that no two lists of parts
// have the same bytes.
func (k cursors) mac(userID string, q domain.Query, place []byte) ([]byte, error) {
	q.After, q.Limit = nil, 0 // the next page may have another size
	query, err := json.Marshal(q)
	if err != nil {
		return nil, fmt.Errorf("sign cursor: %w", err)
	}
	h := hmac.New(sha256.New, k.key)
	list := "tasks"
	if q.Sort == domain.SortTitle {
		list = "tasks by collation" // a place in the order of an earlier version of the service is refused
	}
	for _, part := range [][]byte{[]byte(list), []byte(userID), query, place} {
		fmt.Fprintf(h, "%d\n", len(part))
		h.Write(part)
	}
	return h.Sum(nil)[:macBytes], nil
}
