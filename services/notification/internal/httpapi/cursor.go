package httpapi

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/notification/internal/domain"
)

// A cursor is base64url of "n:<created_at in microseconds>:<id>", the key of the last notification of its page. It grants
// nothing: each request filters by its own caller, so a changed cursor only starts at another place.
const cursorKind = "n"

var errCursor = errors.New("not a cursor of this list")

// maxCursorMicros is the end of the year 9999, the last that RFC 3339 can write.
const maxCursorMicros = 253402300799 * 1_000_000

func encodeCursor(k domain.Key) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s:%d:%s", cursorKind, k.CreatedAt.UnixMicro(), k.ID))
}

func decodeCursor(cursor string) (domain.Key, error) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return domain.Key{}, errCursor
	}
	parts := strings.Split(string(text), ":")
	if len(parts) != 3 || parts[0] != cursorKind {
		return domain.Key{}, errCursor
	}
	micros, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || micros < 0 || micros > maxCursorMicros {
		return domain.Key{}, errCursor
	}
	id, err := uuid.Parse(parts[2])
	if err != nil {
		return domain.Key{}, errCursor
	}
	return domain.Key{CreatedAt: time.UnixMicro(micros).UTC(), ID: id.String()}, nil
}

// after returns the key after which a page begins, or nil for the first page.
func after(q *httpx.Query) *domain.Key {
	cursor := q.Cursor()
	if cursor == "" {
		return nil
	}
	key, err := decodeCursor(cursor)
	if err != nil {
		q.RefuseCursor()
		return nil
	}
	return &key
}
