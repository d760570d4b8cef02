package exchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"reflect"
	"testing"
	"time"

	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"pgregory.net/rapid"
)

const roundTripUser, roundTripTask, roundTripSeries = "01890a5d-ac96-774b-bcce-b302099a8058", "01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a8059"

var roundTripDefaults = domain.Defaults{Timezone: "Europe/Vienna", Now: options.Now}

// lineText draws a title or a tag: any characters that a line may have.
func lineText(most int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		runes := rapid.SliceOfN(rapid.OneOf(
			rapid.RuneFrom([]rune(`abc ,;:\"'=+-@#%<>&/|{}[]_*`)), rapid.RuneFrom([]rune("äßŁ日本🎉👩‍👩‍👧é\u00a0ı")), rapid.Rune(),
		), 1, most).Draw(t, "runes")
		return "x" + string(runes) // a line needs one character that can be seen
	})
}

var descriptionText = rapid.Map(rapid.SliceOfN(rapid.OneOf(rapid.RuneFrom([]rune("a b\n\n\t,;:\\\"ntN=")), rapid.Rune()), 0, 200), func(r []rune) string { return string(r) })

// instantText draws an instant, or a wall-clock time, in the years around the changes of the clocks.
var instantText = rapid.Custom(func(t *rapid.T) string {
	gap := rapid.SampledFrom([]string{"2027-03-28T01:30:00Z", "2027-10-31T00:30:00Z", "2027-10-31T01:30:00Z", "2027-03-14T07:30:00Z", "2041-12-31T12:00:00Z", "1999-01-01T08:00:00Z"})
	return rapid.OneOf(gap, rapid.Custom(func(t *rapid.T) string {
		at := time.UnixMicro(rapid.Int64Range(1_700_000_000_000_000, 2_200_000_000_000_000).Draw(t, "micros")).UTC()
		if rapid.Bool().Draw(t, "whole") {
			at = at.Truncate(time.Minute)
		}
		return at.Format(time.RFC3339Nano)
	})).Draw(t, "instant")
})

var dateText = rapid.Custom(func(t *rapid.T) string {
	return time.Date(2027, 1, rapid.IntRange(1, 800).Draw(t, "day"), 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
})

// roundTripTasks draws tasks as the domain accepts them.
var roundTripTasks = rapid.Custom(func(t *rapid.T) domain.Task {
	fields := map[string]any{
		"title": lineText(40).Draw(t, "title"), "description": descriptionText.Draw(t, "description"),
		"status":   rapid.SampledFrom([]string{"pending", "in_progress", "completed", "cancelled"}).Draw(t, "status"),
		"priority": rapid.SampledFrom([]string{"low", "medium", "high", "urgent"}).Draw(t, "priority"),
		"tags":     rapid.SliceOfN(lineText(10), 0, 4).Draw(t, "tags"),
		"timezone": rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Cairo", "Africa/Casablanca"}).Draw(t, "zone"),
		"position": rapid.Float64Range(-1e15, 1e15).Draw(t, "position"),
	}
	draw := func(name string, from *rapid.Generator[string]) {
		if rapid.Bool().Draw(t, "has "+name) {
			fields[name] = from.Draw(t, name)
		}
	}
	draw(rapid.SampledFrom([]string{"due_date"}).Draw(t, "kind of due"), dateText)
	if fields["due_date"] == nil {
		draw("due_at", instantText)
	}
	draw("start_date", dateText)
	if fields["start_date"] == nil {
		draw("start_at", instantText)
	}
	draw("remind_at", instantText)
	if rapid.Bool().Draw(t, "recurs") {
		fields["recurrence"] = recurrenceFields(t)
	}
	origin := domain.Origin{}
	if rapid.Bool().Draw(t, "in a series") {
		origin.SeriesID, origin.OccurrenceNo = roundTripSeries, rapid.IntRange(1, 1000).Draw(t, "occurrence")
	}
	created := options.Now.Add(-time.Duration(rapid.Int64Range(1, 1e16).Draw(t, "age"))).Truncate(time.Microsecond)
	origin.CreatedAt = &created
	if fields["status"] == "completed" {
		completed := created.Add(time.Since(created) / 1000).Truncate(time.Microsecond)
		origin.CompletedAt = &completed
	}
	task, err := importFields(fields, origin)
	if err != nil {
		t.Skip(err.Error()) // the combination is no task, as a reminder without a due date
	}
	if task.DueAt != nil && rapid.Bool().Draw(t, "due in a gap") {
		clock := time.Duration(rapid.IntRange(0, 24*60-1).Draw(t, "clock")) * time.Minute
		origin.Clocks.Due = &clock
		if task, err = importFields(fields, origin); err != nil {
			t.Skip(err.Error())
		}
	}
	if task.Recurrence != nil && rapid.Bool().Draw(t, "is an exception") {
		if task, err = importFields(fields, exceptionOf(t, fields, origin)); err != nil {
			t.Skip(err.Error())
		}
	}
	task.UpdatedAt = options.Now
	return task
})

// exceptionOf returns the origin of a task that is an exception of a series with some other values.
func exceptionOf(t *rapid.T, fields map[string]any, origin domain.Origin) domain.Origin {
	series := maps.Clone(fields)
	replace := func(name string, value any) {
		if rapid.Bool().Draw(t, "the series has another "+name) {
			series[name] = value
		}
	}
	replace("title", lineText(40).Draw(t, "title of the series"))
	replace("description", descriptionText.Draw(t, "description of the series"))
	replace("tags", rapid.SliceOfN(lineText(10), 0, 4).Draw(t, "tags of the series"))
	replace("timezone", rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "Asia/Tokyo"}).Draw(t, "zone of the series"))
	replace("remind_at", nil)
	if rapid.Bool().Draw(t, "the series has another due date") {
		delete(series, "due_date")
		series["due_at"] = instantText.Draw(t, "due_at of the series")
	}
	if rapid.Bool().Draw(t, "the series starts") {
		delete(series, "start_at")
		series["start_date"] = dateText.Draw(t, "start_date of the series")
	}
	if rapid.Bool().Draw(t, "the series is due in a gap") {
		clock := time.Duration(rapid.IntRange(0, 24*60-1).Draw(t, "clock of the series")) * time.Minute
		origin.PatternClocks.Due = &clock
	}
	var err error
	if origin.Pattern, err = parseFields(series); err != nil {
		t.Skip(err.Error())
	}
	return origin
}

func recurrenceFields(t *rapid.T) map[string]any {
	r := map[string]any{
		"rrule": rapid.SampledFrom([]string{
			"FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,TH", "FREQ=MONTHLY;BYMONTHDAY=-1", "FREQ=YEARLY", "FREQ=DAILY;COUNT=2000", "FREQ=DAILY;UNTIL=20400101",
			"FREQ=WEEKLY;INTERVAL=2;UNTIL=20400101T120000Z", "FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20400101T120000",
		}).Draw(t, "rule"),
		"anchor": rapid.SampledFrom([]string{"schedule", "completion"}).Draw(t, "anchor"),
	}
	if rapid.Bool().Draw(t, "has a zone") {
		r["timezone"] = rapid.SampledFrom([]string{"Asia/Tokyo", "Europe/London", "UTC"}).Draw(t, "zone of the rule")
	}
	r["catch_up"] = rapid.SampledFrom([]string{"next", "all"}).Draw(t, "catch_up")
	if days := rapid.SliceOfNDistinct(dateText, 0, 3, rapid.ID).Draw(t, "exdates"); len(days) > 0 {
		r["exdates"] = days
	}
	return r
}

// importFields imports a task with the fields of a request.
func importFields(fields map[string]any, o domain.Origin) (domain.Task, error) {
	parsed, err := parseFields(fields)
	if err != nil {
		return domain.Task{}, err
	}
	return domain.Import(roundTripTask, roundTripUser, parsed, o, roundTripDefaults)
}

func parseFields(fields map[string]any) (domain.Fields, error) {
	body := map[string]json.RawMessage{}
	for name, v := range fields {
		body[name] = mustMarshal(v)
	}
	return domain.ParseFields(body)
}

// reread writes a task, and imports the file.
func reread(t *rapid.T, format Format, task domain.Task) (domain.Task, string) {
	var file bytes.Buffer
	w, err := NewWriter(format, &file)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(task), w.Close()); err != nil {
		t.Fatal(err)
	}
	reader, err := NewReader(format, bytes.NewReader(file.Bytes()), Options{Zone: roundTripDefaults.Timezone, Now: roundTripDefaults.Now})
	if err != nil {
		t.Fatal(err)
	}
	item, err := reader.Next()
	if err != nil {
		t.Fatalf("%s: %v in\n%s", format, err, file.String())
	}
	if len(item.Notes) > 0 {
		t.Errorf("%s: notes %+v about\n%s", format, item.Notes, file.String())
	}
	if _, err := reader.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("%s: after the task: got %v, want io.EOF", format, err)
	}
	fields, err := domain.ParseFields(item.Fields)
	if err != nil {
		t.Fatalf("%s: %v in\n%s", format, err, file.String())
	}
	origin := domain.Origin{SeriesID: item.Series, OccurrenceNo: item.Occurrence, CreatedAt: item.CreatedAt, CompletedAt: item.CompletedAt, Clocks: item.Clocks, PatternClocks: item.PatternClocks}
	if origin.Pattern, err = domain.ParseFields(item.Pattern); err != nil {
		t.Fatalf("%s: %v in\n%s", format, err, file.String())
	}
	got, err := domain.Import(item.Source, roundTripUser, fields, origin, roundTripDefaults)
	if err != nil {
		t.Fatalf("%s: %v in\n%s", format, err, file.String())
	}
	return got, file.String()
}

// TestEveryFormatKeepsTheWholeTask writes and reads tasks with every field.
func TestEveryFormatKeepsTheWholeTask(t *testing.T) {
	for _, format := range Formats() {
		t.Run(string(format), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				task := roundTripTasks.Draw(t, "task")
				if got, file := reread(t, format, task); !reflect.DeepEqual(got, task) {
					t.Errorf("got\n%s %+v, series %s\nwant\n%s %+v, series %s\nfrom\n%s", mustMarshal(got.TaskData), got.Clocks(), mustMarshal(got.Pattern),
						mustMarshal(task.TaskData), task.Clocks(), mustMarshal(task.Pattern), file)
				}
			})
		})
	}
}
