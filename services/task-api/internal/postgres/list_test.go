package postgres_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

// titles returns the titles of all pages of a query, in order.
func (f *fixture) titles(userID string, q domain.Query) []string {
	f.T.Helper()
	if q.Limit == 0 {
		q.Limit = 2
	}
	if q.Sort == "" {
		q.Sort = domain.SortCreatedAt
	}
	var out []string
	for {
		list, end, err := f.List(ctx(), userID, q)
		if err != nil {
			f.T.Fatalf("List(%+v): %v", q, err)
		}
		for _, task := range list {
			out = append(out, task.Title)
		}
		if end == nil {
			return out
		}
		if len(list) != q.Limit || len(out) > 100 {
			f.T.Fatalf("List(%+v): got a page of %d and a next page, want full pages", q, len(list))
		}
		q.After = end
	}
}

func (f *fixture) listed() (user string) {
	user = f.User()
	for _, body := range []string{
		`{"title":"b","priority":"low","position":3,"tags":["x","y"],"due_at":"2030-01-02T00:00:00Z"}`,
		`{"title":"A","priority":"urgent","position":-1,"tags":["x"],"due_date":"2030-01-01","description":"50% of_it"}`,
		`{"title":"c","position":2.5,"status":"in_progress"}`,
		`{"title":"D","priority":"high","position":10,"tags":["Z"],"due_at":"2020-01-01T00:00:00Z"}`,
		`{"title":"é","position":11,"status":"completed","due_at":"2020-01-01T00:00:00Z"}`,
	} {
		f.Make(user, body)
	}
	gone := f.Make(user, `{"title":"gone","tags":["x"]}`)
	f.Apply(user, gone.ID, domain.Delete)
	f.Make(f.User(), `{"title":"another user's","tags":["x"]}`)
	return user
}

func TestListSortsInPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.listed()
	for _, tc := range []struct {
		sort domain.Sort
		desc bool
		want string
	}{
		{domain.SortCreatedAt, false, "b A c D é"},
		{domain.SortCreatedAt, true, "é D c A b"},
		{domain.SortUpdatedAt, true, "é D c A b"},
		{domain.SortPriority, false, "b c é D A"},
		{domain.SortPriority, true, "A D é c b"},
		{domain.SortTitle, false, "A b c D é"},
		{domain.SortPosition, false, "A c b D é"},
		{domain.SortDue, false, "D é A b c"},
		{domain.SortDue, true, "b A é D c"},
	} {
		for _, limit := range []int{1, 2, 3, 200} {
			if got := strings.Join(f.titles(user, domain.Query{Sort: tc.sort, Descending: tc.desc, Limit: limit}), " "); got != tc.want {
				t.Errorf("sort %s desc %v in pages of %d: got %q, want %q", tc.sort, tc.desc, limit, got, tc.want)
			}
		}
	}
}

func TestListFilters(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.listed()
	at := func(s string) *time.Time { t, _ := time.Parse(time.RFC3339, s); return &t }
	yes, no := true, false
	for name, tc := range map[string]struct {
		q    domain.Query
		want string
	}{
		"status":             {domain.Query{Statuses: []events.Status{"in_progress", "completed"}}, "c é"},
		"priority":           {domain.Query{Priorities: []events.Priority{"urgent", "high"}}, "A D"},
		"tag":                {domain.Query{Tags: []string{"x"}}, "b A"},
		"tags":               {domain.Query{Tags: []string{"x", "y"}}, "b"},
		"due before":         {domain.Query{DueBefore: at("2030-01-02T00:00:00Z")}, "A D é"},
		"due after":          {domain.Query{DueAfter: at("2030-01-02T00:00:00Z")}, "b"},
		"due between":        {domain.Query{DueAfter: at("2029-01-01T00:00:00Z"), DueBefore: at("2030-01-02T00:00:00Z")}, "A"},
		"overdue":            {domain.Query{Overdue: &yes}, "D"},
		"not overdue":        {domain.Query{Overdue: &no}, "b A c é"},
		"search title":       {domain.Query{Search: "É"}, "é"},
		"search description": {domain.Query{Search: "50% OF_"}, "A"},
		"search tag":         {domain.Query{Search: "z"}, "D"},
		"search beginnings":  {domain.Query{Search: "5 i"}, "A"},
		"search every word":  {domain.Query{Search: "50 missing"}, ""},
		"all at once":        {domain.Query{Tags: []string{"x"}, Priorities: []events.Priority{"urgent"}, Search: "a", Statuses: []events.Status{"pending"}, Overdue: &no}, "A"},
		"updated since":      {domain.Query{UpdatedSince: at("2099-01-01T00:00:00Z")}, ""},
	} {
		if got := strings.Join(f.titles(user, tc.q), " "); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

func TestPagesStayStableWhileTasksChange(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	var ids []string
	for i := range 10 {
		ids = append(ids, f.Make(user, fmt.Sprintf(`{"title":"t%d"}`, i)).ID)
	}
	q := domain.Query{Sort: domain.SortCreatedAt, Limit: 3}
	var got []string
	for i := 0; ; i++ {
		list, end, err := f.List(ctx(), user, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range list {
			got = append(got, task.ID)
		}
		f.Patch(user, ids[i], fmt.Sprintf(`{"title":"changed%d"}`, i)) // on an earlier page
		f.Apply(user, ids[9-i], domain.Delete)                         // on a later page
		if q.After = end; end == nil {
			break
		}
	}
	if want := ids[:len(got)]; len(got) < 6 || !slices.Equal(got, want) {
		t.Errorf("got %d tasks %v, want each task once and in order: %v", len(got), got, want)
	}
}

func TestTagsAndStatsCount(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.listed()
	tags, err := f.Tags(ctx(), user)
	if want := []tasks.TagCount{{Tag: "x", Count: 2}, {Tag: "Z", Count: 1}, {Tag: "y", Count: 1}}; err != nil || !slices.Equal(tags, want) {
		t.Errorf("Tags: got %v %v, want %v", tags, err, want)
	}
	s, err := f.Stats(ctx(), user)
	if err != nil || s.Total != 5 || s.ByStatus["pending"] != 3 || s.ByStatus["cancelled"] != 0 || s.ByPriority["medium"] != 1 || s.Overdue != 1 {
		t.Errorf("Stats: got %+v %v", s, err)
	}
	if tags, err := f.Tags(ctx(), f.User()); err != nil || tags == nil || len(tags) != 0 {
		t.Errorf("Tags of a new user: got %v %v, want an empty list", tags, err)
	}
}

func TestTagsDifferByMoreThanCase(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	for _, tag := range []string{"work", "Work", "WORK", "Work", "Straße", "STRASSE", "οδος", "ΟΔΟΣ", "Łódź", "lodz"} {
		f.Make(user, fmt.Sprintf(`{"title":%q,"tags":[%q]}`, tag, tag))
	}
	want := []tasks.TagCount{{Tag: "Work", Count: 4}, {Tag: "STRASSE", Count: 2}, {Tag: "ΟΔΟΣ", Count: 2}, {Tag: "lodz", Count: 1}, {Tag: "Łódź", Count: 1}}
	if got, err := f.Tags(ctx(), user); err != nil || !slices.Equal(got, want) {
		t.Errorf("Tags: got %v %v, want %v", got, err, want)
	}
	for tag, want := range map[string]string{
		"work": "work Work WORK Work", "WORK": "work Work WORK Work", "strasse": "Straße STRASSE", "ΟΔΟΣ": "οδος ΟΔΟΣ", "οδοσ": "οδος ΟΔΟΣ",
		"łódź": "Łódź", "Lodz": "lodz", "wor": "",
	} {
		for _, b := range []postgres.Bounds{postgres.UsualBounds, postgres.NewBounds(1, 100), postgres.NewBounds(1, 1)} {
			f.Store.SetBounds(b)
			if got := strings.Join(f.titles(user, domain.Query{Tags: []string{tag}}), " "); got != want {
				t.Errorf("tag=%s, bounds %v: got %q, want %q", tag, b, got, want)
			}
		}
	}
}

// The order of titles is that of the root collation of CLDR, from each server of Postgres that has ICU.
func TestTitlesAreInTheOrderOfTheRootCollation(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	want := strings.Split("_x · -x · 10 things · 2 things · 9 things · Æble · apfel · Apfel · äpfel · Äpfel · eclair · éclair · Łódź · "+
		"Ol · Öl · resume · résume · résumé · ss · ß · st · zebra · Zebra · Zoo · Ёж · Ель · Жук · 日本", " · ")
	shuffled := slices.Clone(want)
	slices.SortFunc(shuffled, func(a, b string) int { return strings.Compare(b, a) }) // another order
	for _, title := range shuffled {
		f.Make(user, fmt.Sprintf(`{"title":%q}`, title))
	}
	for _, b := range []postgres.Bounds{postgres.UsualBounds, postgres.NewBounds(3, 100)} {
		f.Store.SetBounds(b)
		for _, limit := range []int{1, 3, 200} {
			for _, statuses := range [][]events.Status{nil, {"pending"}} { // without and with a filter
				q := domain.Query{Sort: domain.SortTitle, Limit: limit, Statuses: statuses}
				if got := f.titles(user, q); !slices.Equal(got, want) {
					t.Errorf("pages of %d: got %q, want %q", limit, got, want)
				}
				q.Descending = true
				got := f.titles(user, q)
				if slices.Reverse(got); !slices.Equal(got, want) {
					t.Errorf("pages of %d, descending: got the reverse of %q, want of %q", limit, got, want)
				}
			}
		}
	}
}

// Equal titles are ordered by the id, in the direction of the list.
func TestEqualTitlesAreOrderedByID(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	var want []string
	for range 5 {
		want = append(want, f.Make(user, `{"title":"same"}`).ID)
	}
	slices.Sort(want)
	q := domain.Query{Sort: domain.SortTitle, Limit: 1}
	if got := f.ids(user, q); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	q.Descending = true
	got := f.ids(user, q)
	if slices.Reverse(got); !slices.Equal(got, want) {
		t.Errorf("descending: got the reverse of %v, want of %v", got, want)
	}
}

// A task with a date is due on that day whatever its zone. A task with an instant is due on its day in the user's zone.
func TestListFiltersByDayInTheUsersZone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User() // in Europe/London
	if err := f.DB.Exec(`UPDATE users SET timezone = 'Asia/Tokyo' WHERE id = ?`, user).Error; err != nil {
		t.Fatal(err)
	}
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	y, m, d := f.Now().In(tokyo).Date()
	midnight := time.Date(y, m, d, 0, 0, 0, 0, tokyo)
	day := func(n int) string { return midnight.AddDate(0, 0, n).Format(time.DateOnly) }
	at := func(n int, after time.Duration) string {
		return midnight.AddDate(0, 0, n).Add(after).UTC().Format(time.RFC3339Nano)
	}
	for title, due := range map[string]string{
		"day -1": `"due_date":"` + day(-1) + `"`, "day 0 there": `"due_date":"` + day(0) + `","timezone":"America/New_York"`,
		"day 1 far": `"due_date":"` + day(1) + `","timezone":"Pacific/Kiritimati"`,
		"before 0":  `"due_at":"` + at(0, -time.Second) + `"`, "start of 0": `"due_at":"` + at(0, 0) + `"`,
		"end of 0": `"due_at":"` + at(1, -time.Millisecond) + `"`, "start of 1": `"due_at":"` + at(1, 0) + `"`, "never": `"priority":"low"`,
	} {
		f.Make(user, fmt.Sprintf(`{"title":%q,%s}`, title, due))
	}
	for text, want := range map[string]string{
		"today":                "day 0 there|end of 0|start of 0",
		"tomorrow":             "day 1 far|start of 1",
		day(-1):                "before 0|day -1",
		day(0) + ".." + day(1): "day 0 there|day 1 far|end of 0|start of 0|start of 1",
		day(1) + "..":          "day 1 far|start of 1",
		".." + day(-1):         "before 0|day -1",
	} {
		due, ok := domain.ParseDue(text)
		if !ok {
			t.Fatal(text)
		}
		for _, b := range []postgres.Bounds{postgres.UsualBounds, postgres.NewBounds(1, 100), postgres.NewBounds(1, 1)} {
			f.Store.SetBounds(b)
			if got := f.found(user, domain.Query{Due: due}); got != want {
				t.Errorf("due=%s, bounds %v: got %q, want %q", text, b, got, want)
			}
		}
	}
	if _, _, err := f.List(ctx(), "01890a5d-ac96-774b-bcce-b302099a8057", domain.Query{Due: domain.DueFilter{Word: "today"}, Sort: domain.SortDue, Limit: 1}); !errors.Is(err, tasks.ErrNoUser) {
		t.Errorf("no such user: got %v, want ErrNoUser", err)
	}
}

func TestListSortsAndFiltersByCompletion(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	var done []domain.Task
	for _, title := range []string{"a", "b", "c", "open"} {
		task := f.Make(user, fmt.Sprintf(`{"title":%q}`, title))
		if title != "open" {
			done = append(done, f.Apply(user, task.ID, domain.Complete))
		}
	}
	for _, limit := range []int{1, 2, 10} {
		q := domain.Query{Sort: domain.SortCompletedAt, Limit: limit}
		if got := strings.Join(f.titles(user, q), " "); got != "a b c open" {
			t.Errorf("pages of %d: got %s", limit, got)
		}
		q.Descending = true
		if got := strings.Join(f.titles(user, q), " "); got != "c b a open" {
			t.Errorf("pages of %d, descending: got %s, want tasks without a completion last", limit, got)
		}
	}
	for want, q := range map[string]domain.Query{
		"b c": {CompletedAfter: done[1].CompletedAt}, "a": {CompletedBefore: done[1].CompletedAt}, "b": {CompletedAfter: done[1].CompletedAt, CompletedBefore: done[2].CompletedAt},
	} {
		if got := strings.Join(f.titles(user, q), " "); got != want {
			t.Errorf("%+v: got %s, want %s", q, got, want)
		}
	}
}

func TestDeletedTasksAreListedWhileTheyCanBeRestored(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	for _, title := range []string{"kept", "first", "second", "too old", "Third"} {
		task := f.Make(user, fmt.Sprintf(`{"title":%q,"tags":["x"]}`, title))
		if title != "kept" {
			f.Apply(user, task.ID, domain.Delete)
		}
	}
	f.Exec(`UPDATE tasks SET deleted_at = ? WHERE title = 'too old'`, f.Now().Add(-domain.RestoreWindow))
	f.Exec(`UPDATE tasks SET deleted_at = ? WHERE title = 'first'`, f.Now().Add(time.Hour-domain.RestoreWindow))
	for want, q := range map[string]domain.Query{
		"first second Third": {Sort: domain.SortDeletedAt}, "Third second first": {Sort: domain.SortDeletedAt, Descending: true},
		"first second Third ": {Sort: domain.SortTitle}, "second": {Sort: domain.SortTitle, Search: "sec"}, "": {Sort: domain.SortTitle, Tags: []string{"y"}},
		" first second Third": {Sort: domain.SortDue, Tags: []string{"X"}},
	} {
		q.Deleted = true
		for _, limit := range []int{1, 2, 10} {
			q.Limit = limit
			if got := strings.Join(f.titles(user, q), " "); got != strings.TrimSpace(want) {
				t.Errorf("%+v: got %q, want %q", q, got, want)
			}
		}
	}
}
