package httpapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/gin-gonic/gin"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/audit/internal/domain"
)

// maxEventTypes bounds the filter event_type. There are far fewer event types.
const maxEventTypes = 20

// entry is an entry in an answer. event is for reading. leaf holds the exact bytes of which leaf_hash and the proofs are
// made (base64, like leaf_hash).
type entry struct {
	Position    int64           `json:"position"`
	EventID     string          `json:"event_id"`
	EventType   string          `json:"event_type"`
	TaskID      string          `json:"task_id"`
	UserID      string          `json:"user_id"`
	TaskVersion int64           `json:"task_version"`
	Seq         int64           `json:"seq"`
	Actor       string          `json:"actor"`
	OccurredAt  time.Time       `json:"occurred_at"`
	RecordedAt  time.Time       `json:"recorded_at"`
	Event       json.RawMessage `json:"event"`
	Leaf        []byte          `json:"leaf"`
	LeafHash    tlog.Hash       `json:"leaf_hash"`
}

type list struct {
	Items      []entry `json:"items"`
	NextCursor string  `json:"next_cursor"` // "" on the last page
}

func newList(page domain.Page, cursor func(last domain.Entry) string) list {
	l := list{Items: make([]entry, len(page.Entries))}
	for i, e := range page.Entries {
		l.Items[i] = entry{
			Position: e.Position, EventID: e.EventID, EventType: e.EventType, TaskID: e.TaskID, UserID: e.UserID,
			TaskVersion: e.TaskVersion, Seq: e.Seq, Actor: e.Actor, OccurredAt: e.OccurredAt, RecordedAt: e.RecordedAt,
			Event: e.Event, Leaf: e.Leaf(), LeafHash: e.LeafHash,
		}
	}
	if page.More {
		l.NextCursor = cursor(page.Entries[len(page.Entries)-1])
	}
	return l
}

// list handles GET /api/v1/audit: the caller's entries by position, or all users' entries for an auditor. Filters:
// task_id, event_type (repeatable), since and until (occurred at or after, and before). sort is position or -position.
func (h handlers) list(c *gin.Context) error {
	q := httpx.NewQuery(c)
	f := domain.Filter{
		UserID: scope(c), TaskID: q.UUID("task_id"), EventTypes: eventTypes(q), Since: orZero(q.Instant("since")), Until: orZero(q.Instant("until")),
		Newest: httpx.Choice(q, "sort", "position", "position", "-position") == "-position",
		After:  after(q), Limit: q.Limit(domain.DefaultLimit, domain.MaxLimit),
	}
	if err := q.Err(); err != nil {
		return err
	}
	page, err := h.log.List(c.Request.Context(), f)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, newList(page, func(last domain.Entry) string { return encodeCursor(cursorList, last.Position) }))
	return nil
}

// history handles GET /api/v1/audit/tasks/:id: one task's entries by task_version, then by position. For a task without
// entries, and for one of another user, the list is empty.
func (h handlers) history(c *gin.Context) error {
	q := httpx.NewQuery(c)
	f := domain.HistoryFilter{
		UserID: scope(c), TaskID: q.PathUUID("id"), After: afterKey(q), Limit: q.Limit(domain.DefaultLimit, domain.MaxLimit),
	}
	if err := q.Err(); err != nil {
		return err
	}
	page, err := h.log.History(c.Request.Context(), f)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, newList(page, func(last domain.Entry) string {
		return encodeCursor(cursorHistory, last.TaskVersion, last.Position)
	}))
	return nil
}

// eventTypes reads the filter by event type. It accepts types that this version does not know: the log records those
// too.
func eventTypes(q *httpx.Query) []string {
	types := q.Texts("event_type", maxEventTypes)
	for _, t := range types {
		if t == "" || strings.ContainsFunc(t, unicode.IsControl) {
			q.Refuse("event_type", "must be an event type")
			return nil
		}
	}
	return types
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
