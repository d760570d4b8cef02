package httpapi

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

type page struct {
	Items      []events.TaskData `json:"items"`
	NextCursor string            `json:"next_cursor"`
}

// all returns the titles on all pages of a query.
func (c *client) all(query string) []string {
	c.t.Helper()
	var titles []string
	cursor := ""
	for {
		var p page
		c.want(http.StatusOK, &p, "GET", "/api/v1/tasks?"+query+"&cursor="+url.QueryEscape(cursor), "")
		for _, task := range p.Items {
			titles = append(titles, task.Title)
		}
		if cursor = p.NextCursor; cursor == "" {
			return titles
		}
	}
}

func TestACursorContinuesTheSameListOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, other := r.user(), r.user()
	for i := range 7 {
		c.create(fmt.Sprintf(`{"title":"t%d","priority":"high"}`, i))
		other.create(`{"title":"x","priority":"high"}`)
	}
	if got := c.all("limit=3"); !slices.Equal(got, []string{"t6", "t5", "t4", "t3", "t2", "t1", "t0"}) {
		t.Errorf("list: got %v, want the newest task first", got)
	}
	var p page
	c.want(http.StatusOK, &p, "GET", "/api/v1/tasks?limit=2&priority=high,low&sort=title", "")
	cursor := "&cursor=" + p.NextCursor
	c.want(http.StatusOK, nil, "GET", "/api/v1/tasks?priority=low&priority=high&sort=title&limit=5"+cursor, "")
	c.wantProblem(http.StatusBadRequest, "cursor", "GET", "/api/v1/tasks?priority=high,low&sort=-title"+cursor, "")
	c.wantProblem(http.StatusBadRequest, "cursor", "GET", "/api/v1/tasks?priority=high&sort=title"+cursor, "")
	other.wantProblem(http.StatusBadRequest, "cursor", "GET", "/api/v1/tasks?priority=high,low&sort=title"+cursor, "")
	for i := range len(p.NextCursor) {
		forged := []byte(p.NextCursor)
		if forged[i] = 'A'; p.NextCursor[i] == 'A' {
			forged[i] = 'B'
		}
		if a := c.do("GET", "/api/v1/tasks?priority=high,low&sort=title&cursor="+string(forged), ""); a.status != http.StatusBadRequest {
			t.Errorf("cursor with character %d changed: got %d, want 400", i, a.status)
		}
	}
	empty := r.user()
	if a := empty.want(http.StatusOK, nil, "GET", "/api/v1/tasks", ""); a.body != `{"items":[],"next_cursor":""}` {
		t.Errorf("an empty list: got %s, want no items and no cursor", a.body)
	}
}

func TestFiltersComeFromTheQuery(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	c.create(`{"title":"a","due_date":"2030-01-10","tags":["x","y"]}`)
	c.create(`{"title":"b","due_at":"2020-01-01T00:00:00Z","tags":["x"],"description":"needle"}`)
	c.create(`{"title":"c","status":"in_progress"}`)
	for query, want := range map[string][]string{
		"status=in_progress":                      {"c"},
		"status=pending,in_progress&sort=title":   {"a", "b", "c"},
		"tag=x&tag=y":                             {"a"},
		"q=NEEDLE":                                {"b"},
		"overdue=true":                            {"b"},
		"due_before=2030-01-10&sort=due":          {"b"},
		"due_after=2025-01-01T00:00:00%2B02:00":   {"a"},
		"updated_since=2999-01-01":                nil,
		"tag=x&q=needle&overdue=true&sort=-title": {"b"},
	} {
		if got := c.all(query); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", query, got, want)
		}
	}
}

func TestSearchOverHTTP(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	c.create(`{"title":"plans","description":"for the garden"}`)
	c.create(`{"title":"garden"}`)
	c.create(`{"title":"Garden, again"}`)
	for query, want := range map[string][]string{
		"q=gard&limit=1":                      {"Garden, again", "garden", "plans"},
		"q=gard&limit=2&sort=relevance":       {"Garden, again", "garden", "plans"},
		"q=gard&limit=2&sort=created_at":      {"plans", "garden", "Garden, again"},
		"q=again%20garden":                    {"Garden, again"},
		"q=" + url.QueryEscape(`ga'&!:*\(-)`): {"Garden, again", "garden", "plans"},
		"q=" + url.QueryEscape(`ga | <`):      {},
	} {
		if got := c.all(query); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", query, got, want)
		}
	}
	for query, field := range map[string]string{
		"q=": "q", "q=%20": "q", "q=...": "q", "q=%27%27%20%26": "q", "q=%00": "q", "q=%ff": "q", "q=a&q=b": "q",
		"q=a+b+c+d+e+f+g+h+i+j+k+l+m+n+o+p+q": "q",
		"sort=relevance":                      "sort",
		"q=a&sort=-relevance":                 "sort",
	} {
		c.wantProblem(http.StatusBadRequest, field, "GET", "/api/v1/tasks?"+query, "")
	}
}

// Tries the cursor with another user and with another query, and every shortened cursor and one with a flipped bit in each byte.
func TestACursorOfAnotherListIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, other := r.user(), r.user()
	for _, who := range []*client{c, other} {
		for range 3 {
			who.create(`{"title":"same"}`)
		}
	}
	for _, query := range []string{"", "q=same&", "sort=due&", "status=pending&"} {
		var p page
		path := "/api/v1/tasks?" + query + "limit=1"
		c.want(http.StatusOK, &p, "GET", path, "")
		c.want(http.StatusOK, nil, "GET", path+"&cursor="+p.NextCursor, "")
		other.wantProblem(http.StatusBadRequest, "cursor", "GET", path+"&cursor="+p.NextCursor, "")
		for _, more := range []string{"&priority=low", "&overdue=false", "&tag=x", "&due_before=2030-01-01", "&updated_since=2020-01-01"} {
			c.wantProblem(http.StatusBadRequest, "cursor", "GET", path+more+"&cursor="+p.NextCursor, "")
		}
		raw, err := base64.RawURLEncoding.DecodeString(p.NextCursor)
		if err != nil {
			t.Fatal(err)
		}
		for i := range raw {
			cut := base64.RawURLEncoding.EncodeToString(raw[:i])
			if cut != "" {
				c.wantProblem(http.StatusBadRequest, "cursor", "GET", path+"&cursor="+cut, "")
			}
			flipped := slices.Clone(raw)
			flipped[i] ^= 1 << (i % 8)
			c.wantProblem(http.StatusBadRequest, "cursor", "GET", path+"&cursor="+base64.RawURLEncoding.EncodeToString(flipped), "")
		}
	}
}

func TestSyncOverHTTP(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	first, second := c.create(`{"title":"a"}`), c.create(`{"title":"b"}`)
	c.want(http.StatusNoContent, nil, "DELETE", "/api/v1/tasks/"+first.ID, "")
	var got struct {
		Items     []map[string]any `json:"items"`
		NextSince int64            `json:"next_since"`
		HasMore   bool             `json:"has_more"`
	}
	c.want(http.StatusOK, &got, "GET", "/api/v1/sync?since=0&limit=1", "")
	if len(got.Items) != 1 || got.Items[0]["id"] != second.ID || got.NextSince != 2 || !got.HasMore {
		t.Errorf("first page: got %+v, want the second task, next_since 2 and more pages", got)
	}
	got.Items = nil
	c.want(http.StatusOK, &got, "GET", "/api/v1/sync?since=2", "")
	if len(got.Items) != 1 || len(got.Items[0]) != 4 || got.Items[0]["id"] != first.ID || got.Items[0]["deleted_at"] == nil || got.Items[0]["seq"] != 3.0 || got.NextSince != 3 || got.HasMore {
		t.Errorf("second page: got %+v, want a tombstone with four fields, seq 3 and no more pages", got)
	}
	if a := c.want(http.StatusOK, nil, "GET", "/api/v1/sync?since=3", ""); a.body != `{"has_more":false,"items":[],"next_since":3}` {
		t.Errorf("sync without changes: got %s, want no items and next_since 3", a.body)
	}
	var stats struct {
		Total    int64            `json:"total"`
		ByStatus map[string]int64 `json:"by_status"`
	}
	c.want(http.StatusOK, &stats, "GET", "/api/v1/stats", "")
	if stats.Total != 1 || stats.ByStatus["pending"] != 1 {
		t.Errorf("stats: got %+v, want 1 pending task", stats)
	}
	if a := c.want(http.StatusOK, nil, "GET", "/api/v1/tags", ""); a.body != `{"items":[]}` {
		t.Errorf("tags: got %s, want none", a.body)
	}
}

// Purges a tombstone. A client behind it gets 410 with the address to start over. A sync from 0 still works in pages, although
// its next_since is below the purged seq.
func TestSyncStartsOverAfterAPurge(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	gone := c.create(`{"title":"gone"}`)
	for i := range 4 {
		c.create(fmt.Sprintf(`{"title":"t%d"}`, i))
	}
	c.want(http.StatusNoContent, nil, "DELETE", "/api/v1/tasks/"+gone.ID, "")
	if err := c.db.Gorm.Exec(`UPDATE tasks SET deleted_at = ? WHERE id = ?`, time.Now().Add(-tasks.TombstoneRetention-time.Hour), gone.ID).Error; err != nil {
		t.Fatal(err)
	}
	if err := c.uses.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := c.wantProblem(http.StatusGone, "", "GET", "/api/v1/sync?since=3", "")
	if got := a.header.Get("Link"); got != `</api/v1/sync?since=0>; rel="start"` {
		t.Errorf("410: got Link %q, want /api/v1/sync?since=0", got)
	}
	var known []string
	for since, more := int64(0), true; more; {
		var got struct {
			Items     []events.TaskData `json:"items"`
			NextSince int64             `json:"next_since"`
			HasMore   bool              `json:"has_more"`
		}
		c.want(http.StatusOK, &got, "GET", fmt.Sprintf("/api/v1/sync?limit=1&since=%d", since), "")
		for _, task := range got.Items {
			known = append(known, task.Title)
		}
		since, more = got.NextSince, got.HasMore
	}
	if !slices.Equal(known, []string{"t0", "t1", "t2", "t3"}) {
		t.Errorf("sync from 0 in pages of one: got %v, want t0 to t3", known)
	}
	c.want(http.StatusOK, nil, "GET", "/api/v1/sync?since=6", "")
	c.wantProblem(http.StatusGone, "", "GET", "/api/v1/sync?since=7", "")
}
