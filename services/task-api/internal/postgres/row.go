package postgres

// This file converts between a task and its row.

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// taskRow is a row of tasks.
type taskRow struct {
	ID, UserID             string
	Title, Description     string
	Status                 events.Status
	Priority               int
	Tags                   tagList
	StartDate, StartAt     *time.Time
	DueDate, DueAt         *time.Time
	DueInstant             *time.Time
	Timezone               string
	RemindAt               *time.Time
	RRule                  *string        `gorm:"column:rrule"`
	RRuleAnchor            *events.Anchor `gorm:"column:rrule_anchor"`
	RRuleZone              *string        `gorm:"column:rrule_zone"`
	RRuleZoneGiven         bool           `gorm:"column:rrule_zone_given"`
	RRuleCatchUp           *string        `gorm:"column:rrule_catch_up"`
	RRuleExDates           *tagList       `gorm:"column:rrule_exdates"`
	SeriesID               pgtype.UUID
	OccurrenceNo           *int
	SeriesEnds             bool
	SeriesPattern          *string
	EngineVersion          int64
	StartClock             *int64
	DueClock, RemindClock  *int64
	Position               float64
	Version, Seq           int64
	CreatedAt, UpdatedAt   time.Time
	CompletedAt, DeletedAt *time.Time
}

// taskColumns are the columns of taskRow, in the order of targets. They exclude search, which is larger than the rest of
// the row.
var taskColumns = strings.Join(names(slices.Concat(identityColumns, columns)), ", ")

// qualified returns taskColumns with the alias of their table.
func qualified(alias string) string {
	return alias + "." + strings.ReplaceAll(taskColumns, ", ", ", "+alias+".")
}

// TableName implements gorm's Tabler.
func (taskRow) TableName() string { return "tasks" }

func rowOf(t domain.Task) taskRow {
	r := taskRow{
		ID: t.ID, UserID: t.UserID, Title: t.Title, Description: t.Description, Status: t.Status,
		Priority: slices.Index(events.Priorities(), t.Priority) + 1, Tags: t.Tags,
		StartAt: t.StartAt, DueAt: t.DueAt, DueInstant: t.Due(), Timezone: t.Timezone, RemindAt: t.RemindAt,
		RRuleZoneGiven: t.RuleZone, SeriesEnds: t.SeriesEnds, EngineVersion: t.EngineVersion, StartClock: micros(t.StartClock),
		DueClock: micros(t.DueClock), RemindClock: micros(t.RemindClock),
		Position: t.Position, Version: t.Version, Seq: t.Seq,
		CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt, CompletedAt: t.CompletedAt, DeletedAt: t.DeletedAt,
	}
	if day, err := time.Parse(time.DateOnly, t.StartDate); err == nil {
		r.StartDate = &day
	}
	if day, err := time.Parse(time.DateOnly, t.DueDate); err == nil {
		r.DueDate = &day
	}
	if t.Recurrence != nil {
		c := *t.Recurrence
		catchUp := string(c.CatchUp)
		r.RRule, r.RRuleAnchor, r.RRuleZone, r.RRuleCatchUp = &c.RRule, &c.Anchor, &c.Timezone, &catchUp
		if len(c.ExDates) > 0 {
			r.RRuleExDates = (*tagList)(&c.ExDates)
		}
	}
	if t.Pattern != nil {
		raw, err := json.Marshal(t.Pattern)
		if err != nil {
			panic("postgres: the values of a series cannot be written as JSON: " + err.Error())
		}
		pattern := string(raw)
		r.SeriesPattern = &pattern
	}
	if id, err := uuid.Parse(t.SeriesID); err == nil {
		r.SeriesID, r.OccurrenceNo = pgtype.UUID{Bytes: id, Valid: true}, &t.OccurrenceNo
	}
	return r
}

// values returns the values of columns, in their order.
func (r taskRow) values() []any {
	return []any{
		r.Title, r.Description, string(r.Status), r.Priority, r.Tags, r.StartDate, r.StartAt, r.DueDate, r.DueAt, r.DueInstant, r.Timezone, r.RemindAt,
		r.RRule, r.RRuleAnchor, r.RRuleZone, r.RRuleZoneGiven, r.RRuleCatchUp, r.RRuleExDates, r.SeriesID, r.OccurrenceNo, r.SeriesEnds,
		r.SeriesPattern, r.EngineVersion, r.StartClock, r.DueClock, r.RemindClock, r.Position,
		r.Version, r.Seq, r.UpdatedAt, r.CompletedAt, r.DeletedAt,
	}
}

// targets returns pointers into which a row of taskColumns is scanned.
func (r *taskRow) targets() []any {
	return []any{
		&r.ID, &r.UserID, &r.CreatedAt,
		&r.Title, &r.Description, &r.Status, &r.Priority, &r.Tags, &r.StartDate, &r.StartAt, &r.DueDate, &r.DueAt, &r.DueInstant, &r.Timezone, &r.RemindAt,
		&r.RRule, &r.RRuleAnchor, &r.RRuleZone, &r.RRuleZoneGiven, &r.RRuleCatchUp, &r.RRuleExDates, &r.SeriesID, &r.OccurrenceNo, &r.SeriesEnds,
		&r.SeriesPattern, &r.EngineVersion, &r.StartClock, &r.DueClock, &r.RemindClock, &r.Position,
		&r.Version, &r.Seq, &r.UpdatedAt, &r.CompletedAt, &r.DeletedAt,
	}
}

func (r taskRow) task() domain.Task {
	t := domain.Task{TaskData: events.TaskData{
		ID: r.ID, UserID: r.UserID, Title: r.Title, Description: r.Description, Status: r.Status,
		Priority: events.Priorities()[r.Priority-1], Tags: r.Tags,
		StartAt: r.StartAt, DueAt: r.DueAt, Timezone: r.Timezone, RemindAt: r.RemindAt, SeriesEnds: r.SeriesEnds,
		Position: r.Position, Version: r.Version, Seq: r.Seq,
		CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt, CompletedAt: r.CompletedAt, DeletedAt: r.DeletedAt,
	}, StartClock: duration(r.StartClock), DueClock: duration(r.DueClock), RemindClock: duration(r.RemindClock), EngineVersion: r.EngineVersion}
	if r.StartDate != nil {
		t.StartDate = r.StartDate.Format(time.DateOnly)
	}
	if r.DueDate != nil {
		t.DueDate = r.DueDate.Format(time.DateOnly)
	}
	if r.RRule != nil {
		t.Recurrence = &events.Recurrence{RRule: *r.RRule, Anchor: *r.RRuleAnchor, Timezone: *r.RRuleZone, CatchUp: events.CatchUpNext}
		if t.RuleZone = r.RRuleZoneGiven; !t.RuleZone {
			t.Recurrence.Timezone = r.Timezone // the previous version of the service did not move it with the task's zone
		}
		if r.RRuleCatchUp != nil {
			t.Recurrence.CatchUp = events.CatchUp(*r.RRuleCatchUp)
		}
		if r.RRuleExDates != nil {
			t.Recurrence.ExDates = *r.RRuleExDates
		}
	}
	if r.SeriesPattern != nil {
		t.Pattern = new(domain.Pattern)
		if err := json.Unmarshal([]byte(*r.SeriesPattern), t.Pattern); err != nil {
			panic("postgres: the values of a series cannot be read: " + err.Error())
		}
	}
	if r.SeriesID.Valid {
		t.SeriesID, t.OccurrenceNo = uuid.UUID(r.SeriesID.Bytes).String(), *r.OccurrenceNo
	}
	return t
}

func micros(d *time.Duration) *int64 {
	if d == nil {
		return nil
	}
	n := d.Microseconds()
	return &n
}

func duration(n *int64) *time.Duration {
	if n == nil {
		return nil
	}
	d := time.Duration(*n) * time.Microsecond
	return &d
}

func domainTasks(rows []taskRow) []domain.Task {
	out := make([]domain.Task, len(rows))
	for i, r := range rows {
		out[i] = r.task()
	}
	return out
}

// tagList stores a list of strings as jsonb. gorm would expand a plain slice to a list of parameters.
type tagList []string

// Value implements driver.Valuer.
func (l tagList) Value() (driver.Value, error) {
	if l == nil {
		l = tagList{}
	}
	raw, err := json.Marshal([]string(l))
	return string(raw), err
}

// Scan implements sql.Scanner.
func (l *tagList) Scan(src any) error {
	switch v := src.(type) {
	case string:
		return json.Unmarshal([]byte(v), (*[]string)(l))
	case []byte:
		return json.Unmarshal(v, (*[]string)(l))
	}
	return fmt.Errorf("scan tags: got %T", src)
}
