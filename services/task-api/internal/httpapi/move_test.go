package httpapi

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/taskwire/taskwire/pkg/events"
)

func TestATaskIsMovedOnABoard(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.user()
	ids := map[string]string{}
	for _, title := range []string{"a", "b", "c"} {
		ids[title] = c.create(`{"title":"` + title + `"}`).ID
	}
	move := func(title string) string { return "/api/v1/tasks/" + ids[title] + "/move" }
	order := func(want string) {
		t.Helper()
		if got := c.titles("sort=position"); got != want {
			t.Errorf("order: got %s, want %s", got, want)
		}
	}
	var got events.TaskData
	a := c.want(http.StatusOK, &got, "POST", move("c"), `{"before":"`+ids["a"]+`","status":"in_progress"}`, "If-Match", `"v1"`)
	if got.Status != "in_progress" || got.Version != 2 || a.header.Get("ETag") != `"v2"` {
		t.Errorf("move: got %s, want the moved task in progress", a.body)
	}
	order("c|a|b")
	c.want(http.StatusOK, &got, "POST", move("c"), `{"before":"`+ids["a"]+`","status":"in_progress"}`)
	if got.Version != 2 {
		t.Errorf("repeated move: got version %d, want 2", got.Version)
	}
	c.want(http.StatusOK, &got, "POST", move("c"), `{"after":"`+ids["b"]+`","before":null}`)
	order("a|b|c")
	c.want(http.StatusOK, &got, "POST", move("a"), `{"status":"completed"}`)
	if got.CompletedAt == nil {
		t.Errorf("status alone: got %+v, want it completed", got)
	}
	order("a|b|c")
	c.wantProblem(http.StatusPreconditionFailed, "", "POST", move("a"), `{"after":"`+ids["c"]+`"}`, "If-Match", `"v1"`)

	foreign := r.user().create(`{"title":"not yours"}`).ID
	const none = "01890a5d-ac96-774b-bcce-b302099a8057"
	for _, tc := range []struct {
		status      int
		field, body string
	}{
		{422, "after", `{}`},
		{422, "before", fmt.Sprintf(`{"before":%q,"after":%q}`, ids["b"], ids["c"])},
		{422, "after", fmt.Sprintf(`{"after":%q}`, ids["a"])},
		{404, "after", fmt.Sprintf(`{"after":%q}`, foreign)},
		{404, "before", fmt.Sprintf(`{"before":%q}`, none)},
		{400, "after", `{"after":"b"}`},
		{400, "after", `{"after":1}`},
		{400, "colour", `{"colour":"red"}`},
		{422, "status", `{"status":"done"}`},
	} {
		c.wantProblem(tc.status, tc.field, "POST", move("a"), tc.body)
	}
	c.wantProblem(http.StatusNotFound, "", "POST", "/api/v1/tasks/"+foreign+"/move", `{"after":"`+ids["a"]+`"}`)
	order("a|b|c")
}
