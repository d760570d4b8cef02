package httpapi

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/fold"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/audit/internal/domain"
)

// maxActors bounds the filter actor. A log has few actors beside its users.
const maxActors = 20

// maxSearch bounds q, in characters, as in the list of tasks.
const maxSearch = 200

// entry is an entry in an answer. event is for reading. leaf holds the exact bytes of which leaf_hash and the proofs are
// made (base64, like leaf_hash).
type entry struct {
	Position    int64           `json:"position"`
	EventID     string          `json:"event_id"`
	EventType   string          `json:"event_type"`
	TaskID      *string         `json:"task_id"` // null for an event that is about no task
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

func newList(page domain.Page, cursor func() string) list {
	l := list{Items: make([]entry, len(page.Entries))}
	for i, e := range page.Entries {
		l.Items[i] = entry{
			Position: e.Position, EventID: e.EventID, EventType: e.EventType, TaskID: orNull(e.TaskID), UserID: e.UserID,
			TaskVersion: e.TaskVersion, Seq: e.Seq, Actor: e.Actor, OccurredAt: e.OccurredAt, RecordedAt: e.RecordedAt,
			Event: e.Event, Leaf: e.Leaf(), LeafHash: e.LeafHash,
		}
	}
	if page.More {
		l.NextCursor = cursor()
	}
	return l
}

// list handles GET /api/v1/audit: the caller's entries by position, or all users' entries for an auditor. Filters: user_id,
// task_id, event_type, actor, field (each of these three repeated or separated by commas), q, since and until (occurred at or
// after, and before). sort is position or -position.
func (h handlers) list(c *gin.Context) error {
	q := httpx.NewQuery(c)
	f := domain.Filter{
		TaskID: q.UUID("task_id"), EventTypes: httpx.Choices(q, "event_type", eventTypes()), Actors: actors(q),
		Fields: httpx.Choices(q, "field", events.TaskFields()), Search: search(q),
		Since: orZero(q.Instant("since")), Until: orZero(q.Instant("until")),
		Newest: httpx.Choice(q, "sort", "position", "position", "-position") == "-position",
		After:  after(q), Limit: q.Limit(domain.DefaultLimit, domain.MaxLimit),
	}
	owner := q.UUID("user_id")
	if err := q.Err(); err != nil {
		return err
	}
	var err error
	if f.UserID, err = ownerOf(c, owner); err != nil {
		return err
	}
	page, err := h.log.List(c.Request.Context(), f)
	if err != nil {
		return err
	}
	if err := h.record(c, f.UserID); err != nil {
		return err
	}
	c.JSON(http.StatusOK, newList(page, func() string { return encodeCursor(cursorList, page.End) }))
	return nil
}

// ownerOf returns the user whose entries are listed, or "" for all users. Only an auditor may list those of another user.
func ownerOf(c *gin.Context, asked string) (string, error) {
	own := scope(c)
	if asked == "" || own == "" || asked == own {
		return cmp.Or(own, asked), nil
	}
	return "", &httpx.Error{
		Code: httpx.CodeForbidden, Message: "Only an auditor can list the entries of another user.",
		Fields: []httpx.FieldError{{Field: "user_id", Message: "must be your own id: you are not an auditor"}},
	}
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
	if err := h.record(c, f.UserID); err != nil {
		return err
	}
	c.JSON(http.StatusOK, newList(page, func() string {
		last := page.Entries[len(page.Entries)-1]
		return encodeCursor(cursorHistory, last.TaskVersion, last.Position)
	}))
	return nil
}

// eventTypes are the types of the events that the log has: of tasks, of accounts, and of reads of the log.
func eventTypes() []string {
	all := append(words(events.TaskTypes()), words(events.AccountTypes())...)
	all = append(all, domain.EventAuditRead)
	slices.Sort(all)
	return slices.Compact(all) // deleted is of tasks and of accounts
}

// orNull returns nil, which is null in JSON, for an empty text.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// words returns values as texts.
func words[S ~string](values []S) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

// serviceName is the form of the name of a service that makes changes, for example recurring-task.
var serviceName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,98}[a-z0-9])?$`)

// actors reads the filter by actor, in the form of the log.
func actors(q *httpx.Query) (list []string) {
	for _, value := range q.Texts("actor", maxActors) {
		for actor := range strings.SplitSeq(value, ",") {
			id, err := uuid.Parse(actor)
			switch {
			case err == nil && len(actor) == len(uuid.Nil.String()):
				actor = id.String()
			case !serviceName.MatchString(actor):
				q.Refuse("actor", "must be the id of a user or the name of a service, like recurring-task")
				return nil
			}
			list = append(list, actor)
		}
	}
	if len(list) > maxActors {
		q.Refuse("actor", fmt.Sprintf("must be at most %d", maxActors))
		return nil
	}
	return list
}

// search reads the text of a search, with the rules of the list of tasks.
func search(q *httpx.Query) string {
	text, given := q.Text("q")
	if !given {
		return ""
	}
	switch words := len(fold.Distinct(text)); {
	case utf8.RuneCountInString(text) > maxSearch:
		q.Refuse("q", fmt.Sprintf("must have at most %d characters", maxSearch))
	case words == 0:
		q.Refuse("q", "must have a letter, a digit or a symbol: punctuation, white space and accents alone are not searched")
	case words > fold.MaxWords:
		q.Refuse("q", fmt.Sprintf("must have at most %d different words", fold.MaxWords))
	}
	return text
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
