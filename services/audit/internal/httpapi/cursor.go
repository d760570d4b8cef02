package httpapi

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/audit/internal/domain"
)

// A cursor is base64url of "<list>:<key>": the kind of its list, and the key of the last entry of its page. It grants
// nothing: each request filters by its own caller, so a changed cursor only starts at another place.
const (
	cursorList    = "p" // p:<position>
	cursorHistory = "h" // h:<task_version>:<position>
)

func encodeCursor(kind string, numbers ...int64) string {
	text := kind
	for _, n := range numbers {
		text += ":" + strconv.FormatInt(n, 10)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// decodeCursor returns the count numbers of a cursor of the kind of list.
func decodeCursor(cursor, kind string, count int) ([]int64, error) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, fmt.Errorf("decode cursor: %w", err)
	}
	parts := strings.Split(string(text), ":")
	if parts[0] != kind || len(parts) != count+1 {
		return nil, fmt.Errorf("cursor is not one of list %q", kind)
	}
	numbers := make([]int64, count)
	for i := range numbers {
		if numbers[i], err = strconv.ParseInt(parts[i+1], 10, 64); err != nil {
			return nil, fmt.Errorf("decode cursor: %w", err)
		}
	}
	return numbers, nil
}

// after returns the position after which a page of a list begins, or nil for the first page.
func after(q *httpx.Query) *int64 {
	numbers := readCursor(q, cursorList, 1)
	if numbers == nil {
		return nil
	}
	return &numbers[0]
}

// afterKey returns the key after which a page of a history begins, or nil for the first page.
func afterKey(q *httpx.Query) *domain.HistoryKey {
	numbers := readCursor(q, cursorHistory, 2)
	if numbers == nil {
		return nil
	}
	return &domain.HistoryKey{TaskVersion: numbers[0], Position: numbers[1]}
}

func readCursor(q *httpx.Query, kind string, count int) []int64 {
	value := q.Cursor()
	if value == "" {
		return nil
	}
	numbers, err := decodeCursor(value, kind, count)
	if err != nil {
		q.RefuseCursor()
		return nil
	}
	return numbers
}
