package httpapi

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/pkg/recurrence"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// This file shows the occurrences that a rule gives, for a task and for a rule that is being written.

// usualOccurrences is how many occurrences an answer has if the request names no limit. maxOccurrences bounds them: with the rarest
// rules, each costs some milliseconds.
const usualOccurrences, maxOccurrences = 10, 100

// occurrence is one occurrence in an answer.
type occurrence struct {
	No        int        `json:"occurrence_no"`
	StartDate string     `json:"start_date,omitempty"`
	StartAt   *time.Time `json:"start_at,omitempty"`
	DueDate   string     `json:"due_date,omitempty"`
	DueAt     *time.Time `json:"due_at,omitempty"`
	Moved     int        `json:"moved_seconds,omitempty"`
	Repeated  bool       `json:"repeated,omitempty"`
}

// occurrences is the list of an answer.
type occurrences struct {
	Timezone string       `json:"timezone"`
	Items    []occurrence `json:"items"`
	Ends     bool         `json:"ends"`
}

// preview is the answer to POST /recurrences:preview.
type preview struct {
	Recurrence events.Recurrence `json:"recurrence"`
	Notes      []string          `json:"notes,omitempty"`
	occurrences
}

// listOccurrences handles GET /tasks/:id/occurrences.
func (h *handlers) listOccurrences(c *gin.Context) error {
	id, err := taskID(c)
	if err != nil {
		return err
	}
	q := httpx.NewQuery(c)
	limit := q.Limit(usualOccurrences, maxOccurrences)
	if err := q.Err(); err != nil {
		return err
	}
	t, err := h.Tasks.Get(c.Request.Context(), auth.UserID(c), id)
	if err != nil {
		return err
	}
	up, err := domain.Occurrences(t, h.Now(), limit)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, shownOccurrences(up))
	return nil
}

// previewMembers are the members of a task that a preview takes.
var previewMembers = map[string]bool{
	"recurrence": true, "start_date": true, "start_at": true, "due_date": true, "due_at": true, "timezone": true, "limit": true,
}

// previewRecurrence handles POST /recurrences:preview.
func (h *handlers) previewRecurrence(c *gin.Context) error {
	var members map[string]json.RawMessage
	if err := readBody(c, &members); err != nil {
		return err
	}
	for name := range members {
		if !previewMembers[name] {
			return httpx.Invalid(name, "is not a field of a preview")
		}
	}
	limit := usualOccurrences
	if raw, ok := members["limit"]; ok && string(raw) != "null" {
		if json.Unmarshal(raw, &limit) != nil || limit < 1 || limit > maxOccurrences {
			return httpx.Invalid("limit", "must be a whole number from 1 to 100")
		}
	}
	delete(members, "limit")
	fields, err := domain.ParseFields(members)
	if err != nil {
		return err
	}
	user, err := h.Accounts.User(c.Request.Context(), auth.UserID(c))
	if err != nil {
		return err
	}
	rule, up, err := domain.Preview(fields, domain.Defaults{Timezone: user.Timezone, Now: h.Now()}, limit)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, preview{rule, up.Notes, shownOccurrences(up)})
	return nil
}

func shownOccurrences(up domain.Upcoming) occurrences {
	out := occurrences{Timezone: up.Zone, Items: make([]occurrence, len(up.Items)), Ends: up.Ends}
	for i, u := range up.Items {
		o := occurrence{No: u.No, StartDate: u.Start.Date, DueDate: u.Due.Date, StartAt: instant(u.Start), DueAt: instant(u.Due)}
		counts := u.Due
		if counts.At.IsZero() {
			counts = u.Start
		}
		o.Moved, o.Repeated = int(counts.Gap/time.Second), counts.Doubled
		out.Items[i] = o
	}
	return out
}

func instant(m recurrence.Moment) *time.Time {
	if m.At.IsZero() {
		return nil
	}
	return &m.At
}
