package httpapi

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/taskwire/taskwire/services/audit/internal/domain"
)

// A cursor is base64url of "<list>:<key>": the kind of list it belongs to, and the key of the last entry of its page.
// It holds no right: each request filters by its own caller, so a changed cursor only starts elsewhere.
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

// after reads the cursor of a list by position.
func (p *params) after() *int64 {
	numbers := p.cursor(cursorList, 1)
	if numbers == nil {
		return nil
	}
	return &numbers[0]
}

// afterKey reads the cursor of a history.
func (p *params) afterKey() *domain.HistoryKey {
	numbers := p.cursor(cursorHistory, 2)
	if numbers == nil {
		return nil
	}
	return &domain.HistoryKey{TaskVersion: numbers[0], Position: numbers[1]}
}

func (p *params) cursor(kind string, count int) []int64 {
	value := p.values.Get("cursor")
	if value == "" {
		return nil
	}
	numbers, err := decodeCursor(value, kind, count)
	if err != nil {
		p.fail("cursor", "is not a cursor of this list")
		return nil
	}
	return numbers
}
