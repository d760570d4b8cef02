package taskapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/taskwire/taskwire/pkg/platform/dapr"
	"github.com/taskwire/taskwire/services/websocket/internal/hub"
)

// answer is a task API that gives one answer and records the call. The whole-stack tests go through two sidecars.
type answer struct {
	body string
	err  error
	got  string
}

func (a *answer) Invoke(ctx context.Context, app, method, path string, body any) (int, []byte, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	if _, bounded := ctx.Deadline(); !bounded {
		return 0, nil, errors.New("a call without a time limit")
	}
	a.got = fmt.Sprint(app, " ", method, " ", path, " ", string(raw))
	return 200, []byte(a.body), a.err
}

func TestChanges(t *testing.T) {
	t.Parallel()
	a := &answer{body: `{"items":[
		{"event_id":"e","event_type":"updated","user_id":"u","seq":8,"task_version":2,"task_data":{"title":"x"}},
		{"event_id":"f","event_type":"a type of the future","user_id":"u","seq":9,"more":1}],"head":12,"oldest":1,"has_more":true}`}
	got, err := New(a).Changes(context.Background(), "u&v", 7, 200)
	if err != nil {
		t.Fatal(err)
	}
	if want := "task-api GET /internal/changes?limit=200&since=7&user_id=u%26v null"; a.got != want {
		t.Errorf("call: got %s, want %s", a.got, want)
	}
	if got.Head != 12 || len(got.Items) != 2 || got.Items[0].Seq != 8 || got.Items[0].TaskData.Title != "x" || got.Items[1].Seq != 9 {
		t.Errorf("Changes: got %+v", got)
	}
}

func TestAChangeThatCannotBeReadEndsThePage(t *testing.T) {
	t.Parallel()
	a := &answer{body: `{"items":[{"seq":1},{"seq":2,"task_data":"of another shape"},{"seq":3}],"head":3}`}
	got, err := New(a).Changes(context.Background(), "u", 0, 200)
	if err != nil || len(got.Items) != 1 || got.Head != 3 {
		t.Errorf("Changes: got %+v (%v), want the first change and head 3", got, err)
	}
}

func TestChangesReturnsErrPruned(t *testing.T) {
	t.Parallel()
	for status, pruned := range map[int]bool{410: true, 400: false, 404: false, 500: false, 503: false} {
		a := &answer{err: fmt.Errorf("invoke: %w", &dapr.InvokeError{AppID: "task-api", Status: status})}
		if _, err := New(a).Changes(context.Background(), "u", 7, 200); errors.Is(err, hub.ErrPruned) != pruned || err == nil {
			t.Errorf("status %d: got %v, want ErrPruned: %v", status, err, pruned)
		}
	}
}

func TestChangesReturnsErrNoAccount(t *testing.T) {
	t.Parallel()
	for body, gone := range map[string]bool{
		`{"type":"urn:taskwire:problem:not-found","title":"Not found","status":404}`: true,
		`{"type":"about:blank","detail":"urn:taskwire:problem:not-found"}`:           false,
		`404 page not found`: false,
		``:                   false,
	} {
		a := &answer{err: fmt.Errorf("invoke: %w", &dapr.InvokeError{AppID: "task-api", Status: 404, Body: []byte(body)})}
		if _, err := New(a).Changes(context.Background(), "u", 7, 200); errors.Is(err, hub.ErrNoAccount) != gone || err == nil {
			t.Errorf("404 %q: got %v, want ErrNoAccount: %v", body, err, gone)
		}
	}
}

func TestHeads(t *testing.T) {
	t.Parallel()
	a := &answer{body: `{"heads":{"u":3}}`}
	got, err := New(a).Heads(context.Background(), []string{"u", "v"})
	if err != nil || len(got) != 1 || got["u"] != 3 {
		t.Errorf("Heads: got %v (%v), want u at 3", got, err)
	}
	if want := `task-api POST /internal/heads {"user_ids":["u","v"]}`; a.got != want {
		t.Errorf("call: got %s, want %s", a.got, want)
	}
}

func TestAnAnswerThatIsNotJSONIsAnError(t *testing.T) {
	t.Parallel()
	c := New(&answer{body: `<html>`})
	if got, err := c.Changes(context.Background(), "u", 0, 1); err == nil {
		t.Errorf("Changes: got %+v, want an error", got)
	}
	if got, err := c.Heads(context.Background(), []string{"u"}); err == nil {
		t.Errorf("Heads: got %+v, want an error", got)
	}
}
