package exchange

import (
	"encoding/csv"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// ownPrefix begins the names of the columns that only Taskwire writes. Todoist ignores them. With them an import restores a task with
// all its values.
const ownPrefix = "TASKWIRE_"

// The columns of Taskwire. A file with ownStatus is an export of Taskwire, whose cells are escaped (see escapeFormula). The last three
// are of earlier versions.
const (
	ownID, ownStatus, ownTags, ownPosition           = ownPrefix + "ID", ownPrefix + "STATUS", ownPrefix + "TAGS", ownPrefix + "POSITION"
	ownStart, ownDue, ownReminder                    = ownPrefix + "START", ownPrefix + "DUE", ownPrefix + "REMIND_AT"
	ownRule, ownSeriesID, ownOccurrence, ownClockSet = ownPrefix + "RECURRENCE", ownPrefix + "SERIES_ID", ownPrefix + "OCCURRENCE_NO", ownPrefix + "CLOCKS"
	ownSeries                                        = ownPrefix + "SERIES"
	ownCreated, ownCompleted                         = ownPrefix + "CREATED_AT", ownPrefix + "COMPLETED_AT"
	ownZone, ownRRule, ownAnchor                     = ownPrefix + "TIMEZONE", ownPrefix + "RRULE", ownPrefix + "ANCHOR"
)

// todoistColumns are the columns of an export, in their order.
var todoistColumns = []string{
	"TYPE", "CONTENT", "DESCRIPTION", "PRIORITY", "INDENT", "DATE", "DATE_LANG", "TIMEZONE",
	ownID, ownStatus, ownTags, ownPosition, ownStart, ownDue, ownReminder, ownRule, ownSeriesID, ownOccurrence, ownClockSet, ownSeries, ownCreated, ownCompleted,
}

// todoistWriter writes Todoist's columns and Taskwire's own. No cell is a formula to a spreadsheet (see escapeFormula).
type todoistWriter struct{ csv *csv.Writer }

func newTodoistWriter(w io.Writer) (*todoistWriter, error) {
	c := csv.NewWriter(w)
	return &todoistWriter{c}, c.Write(todoistColumns)
}

// Write implements Writer.
func (w *todoistWriter) Write(t domain.Task) error {
	cells := map[string]string{
		"TYPE": "task", "CONTENT": t.Title + labelsText(t.Tags), "DESCRIPTION": t.Description, "PRIORITY": todoistPriority(t.Priority),
		"INDENT": "1", "DATE": todoistDue(t.TaskData), "DATE_LANG": "en", "TIMEZONE": t.Timezone,
		ownID: t.ID, ownStatus: string(t.Status), ownStart: t.StartDate, ownDue: stampText(t.DueAt), ownReminder: stampText(t.RemindAt),
		ownSeriesID: t.SeriesID, ownClockSet: clocksText(t), ownSeries: seriesText(t), ownCreated: stampText(&t.CreatedAt), ownCompleted: stampText(t.CompletedAt),
		ownPosition: strconv.FormatFloat(t.Position, 'g', -1, 64),
	}
	if t.StartAt != nil {
		cells[ownStart] = stampText(t.StartAt)
	}
	if len(t.Tags) > 0 {
		cells[ownTags] = string(mustMarshal(t.Tags))
	}
	if t.Recurrence != nil {
		cells[ownRule] = string(mustMarshal(t.Recurrence))
	}
	if t.SeriesID != "" {
		cells[ownOccurrence] = strconv.Itoa(t.OccurrenceNo)
	}
	record := make([]string, len(todoistColumns))
	for i, column := range todoistColumns {
		record[i] = escapeFormula(cells[column])
	}
	err := w.csv.Write(record)
	w.csv.Flush() // the caller has a buffer
	return errors.Join(err, w.csv.Error())
}

// Close implements Writer.
func (w *todoistWriter) Close() error {
	w.csv.Flush()
	return w.csv.Error()
}

// labelsText returns the tags as Todoist writes labels: @name, without blanks in the name.
func labelsText(tags []string) string {
	var b strings.Builder
	for _, tag := range tags {
		b.WriteString(" @" + strings.ReplaceAll(tag, " ", "_"))
	}
	return b.String()
}

func todoistPriority(p events.Priority) string {
	list := events.Priorities()
	for i, one := range list {
		if one == p {
			return strconv.Itoa(len(list) - i)
		}
	}
	return strconv.Itoa(len(list))
}

// todoistDue returns the due date as Todoist reads it: a day, or a wall-clock time in the zone of the row.
func todoistDue(t events.TaskData) string {
	if t.DueAt == nil {
		return t.DueDate
	}
	zone, err := events.LoadZone(t.Timezone)
	if err != nil {
		return stampText(t.DueAt)
	}
	at := t.DueAt.In(zone)
	if at.Second() == 0 {
		return at.Format("2006-01-02 15:04")
	}
	return at.Format("2006-01-02 15:04:05")
}

func stampText(at *time.Time) string {
	if at == nil || at.IsZero() {
		return ""
	}
	return instant(*at)
}
