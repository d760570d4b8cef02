package httpapi

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/taskwire/taskwire/services/audit/internal/domain"
)

// entry is how the API shows one. event is for reading; leaf is the exact bytes that leaf_hash and the proofs are of
// (base64, as leaf_hash).
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

// list handles GET /api/v1/audit: the caller's entries by position, everybody's for an auditor. Filters: task_id,
// event_type (repeatable), since and until (occurred at or after, before); sort position or -position.
func (h handler) list(c *gin.Context) error {
	p := newParams(c, []string{"event_type"}, "task_id", "since", "until", "sort", "limit", "cursor")
	f := domain.Filter{
		UserID: scope(c), TaskID: p.uuid("task_id"), EventTypes: p.eventTypes(), Since: p.time("since"), Until: p.time("until"),
		Newest: p.newest(), After: p.after(), Limit: p.limit(),
	}
	if err := p.done(); err != nil {
		return err
	}
	page, err := h.log.List(c.Request.Context(), f)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, newList(page, func(last domain.Entry) string { return encodeCursor(cursorList, last.Position) }))
	return nil
}

// history handles GET /api/v1/audit/tasks/:id: one task's entries by task_version, then by position. A task that has no
// entries yet and one of another user are both an empty list.
func (h handler) history(c *gin.Context) error {
	p := newParams(c, nil, "limit", "cursor")
	f := domain.HistoryFilter{UserID: scope(c), TaskID: p.parseUUID("id", c.Param("id")), After: p.afterKey(), Limit: p.limit()}
	if err := p.done(); err != nil {
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
