package httpapi

import (
	"net/http"
	"testing"

	"github.com/taskwire/taskwire/pkg/events"
)

func TestOccurrencesOfATask(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.user()
	task := c.create(`{"title":"t","timezone":"America/New_York","start_date":"2030-03-07","due_at":"2030-03-08T02:30","recurrence":{"rrule":"FREQ=DAILY;COUNT=5","exdates":["2030-03-08"]}}`)
	var got occurrences
	c.want(http.StatusOK, &got, "GET", "/api/v1/tasks/"+task.ID+"/occurrences", "")
	if got.Timezone != "America/New_York" || !got.Ends || len(got.Items) != 3 {
		t.Fatalf("got %+v, want the last three of five", got)
	}
	first := got.Items[0] // the clocks skip 02:00 to 03:00 on 10 March
	if first.No != 2 || first.StartDate != "2030-03-09" || first.DueAt.Format("2006-01-02T15:04:05Z07:00") != "2030-03-10T03:30:00-04:00" || first.Moved != 3600 {
		t.Errorf("first: got %+v, want it later by the gap", first)
	}
	c.want(http.StatusOK, &got, "GET", "/api/v1/tasks/"+task.ID+"/occurrences?limit=2", "")
	if len(got.Items) != 2 || got.Ends {
		t.Errorf("limit 2: got %d items, end %v", len(got.Items), got.Ends)
	}
	c.want(http.StatusOK, &got, "GET", "/api/v1/tasks/"+c.create(`{"title":"t"}`).ID+"/occurrences?limit=100", "")
	if len(got.Items) != 0 || !got.Ends {
		t.Errorf("of a task that does not recur: got %+v", got)
	}
	c.wantProblem(http.StatusBadRequest, "limit", "GET", "/api/v1/tasks/"+task.ID+"/occurrences?limit=101", "")
	c.wantProblem(http.StatusBadRequest, "limit", "GET", "/api/v1/tasks/"+task.ID+"/occurrences?limit=0", "")
	r.user().want(http.StatusNotFound, nil, "GET", "/api/v1/tasks/"+task.ID+"/occurrences", "")
}

func TestAPreviewShowsTheRuleAndItsDates(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	const path = "/api/v1/recurrences:preview"
	var got struct {
		Recurrence events.Recurrence `json:"recurrence"`
		Items      []occurrence      `json:"items"`
		Ends       bool              `json:"ends"`
	}
	c.want(http.StatusOK, &got, "POST", path, `{"recurrence":{"text":"every 3rd friday"},"due_at":"2030-10-18T01:30:00","timezone":"Europe/Berlin","limit":2}`)
	if got.Recurrence.RRule != "FREQ=MONTHLY;BYDAY=3FR" || len(got.Items) != 2 || got.Items[1].DueAt.Format("2006-01-02T15:04:05Z07:00") != "2030-11-15T01:30:00+01:00" {
		t.Errorf("words: got %+v", got)
	}
	c.want(http.StatusOK, &got, "POST", path, `{"recurrence":{"rrule":"FREQ=YEARLY;COUNT=1"},"start_date":"2030-10-27"}`)
	if len(got.Items) != 1 || !got.Ends || got.Items[0].StartDate != "2030-10-27" {
		t.Errorf("one occurrence: got %+v", got)
	}
	c.want(http.StatusOK, &got, "POST", path, `{"recurrence":{"rrule":"FREQ=DAILY"}}`)
	if len(got.Items) != 10 || got.Items[0].DueDate == "" {
		t.Errorf("without a date: got %+v, want ten from today", got)
	}
	var noted struct{ Notes []string }
	if c.want(http.StatusOK, &noted, "POST", path, `{"recurrence":{"text":"every 31st"},"due_date":"2030-01-31"}`); len(noted.Notes) == 0 {
		t.Error("months without a 31st: got no note")
	}
	for body, field := range map[string]string{
		`{}`: "recurrence",
		`{"recurrence":{"rrule":"FREQ=DAILY;INTERVAL=7;BYDAY=MO"},"due_date":"2027-03-02"}`: "recurrence.rrule",
		`{"recurrence":{"text":"whenever it rains"}}`:                                       "recurrence.text",
		`{"recurrence":{"rrule":"FREQ=DAILY"},"timezone":"Mars/Olympus"}`:                   "timezone",
	} {
		c.wantProblem(http.StatusUnprocessableEntity, field, "POST", path, body)
	}
	c.wantProblem(http.StatusBadRequest, "title", "POST", path, `{"recurrence":{"rrule":"FREQ=DAILY"},"title":"t"}`)
	c.wantProblem(http.StatusBadRequest, "limit", "POST", path, `{"recurrence":{"rrule":"FREQ=DAILY"},"limit":101}`)
}
