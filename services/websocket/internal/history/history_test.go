package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/taskwire/taskwire/pkg/platform/dapr"
	"github.com/taskwire/taskwire/services/websocket/internal/hub"
)

// answer is a service that gives one answer and records the call. The whole-stack tests go through two sidecars.
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

// clients are both streams.
var clients = map[string]func(Invoker) *Client{"tasks": Tasks, "notifications": Notifications}

func TestReadReturnsEventsOfAnyType(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		client     func(Invoker) *Client
		body, call string
	}{
		"tasks": {Tasks, `{"items":[
			{"event_id":"e","event_type":"updated","user_id":"u","seq":8,"task_version":2,"task_data":{"title":"x"}},
			{"event_id":"f","event_type":"a type of the future","user_id":"u","seq":9,"more":1}],"head":12,"oldest":1,"has_more":true}`,
			"task-api GET /internal/changes?limit=200&since=7&user_id=u%26v null"},
		"notifications": {Notifications, `{"items":[
			{"event_id":"e","notification_seq":8,"unread":2,"user_id":"u","title":"x"},
			{"event_id":"f","notification_seq":9,"unread":3,"user_id":"u","more":1}],"head":12,"oldest":1,"has_more":true,"unread":5}`,
			"notification GET /internal/notifications?limit=200&since=7&user_id=u%26v null"},
	} {
		a := &answer{body: c.body}
		got, err := c.client(a).Read(context.Background(), "u&v", 7, 200)
		if err != nil {
			t.Fatal(err)
		}
		if a.got != c.call {
			t.Errorf("%s: call: got %s, want %s", name, a.got, c.call)
		}
		if got.Head != 12 || len(got.Events) != 2 || got.Events[0].Seq != 8 || got.Events[1].Seq != 9 || got.Events[1].Frame == nil {
			t.Errorf("%s: Read: got %+v", name, got)
		}
		if known := got.Unread != nil; known != (name == "notifications") || known && *got.Unread != 5 {
			t.Errorf("%s: unread: got %v", name, got.Unread)
		}
	}
}

func TestAnEventThatCannotBeReadEndsThePage(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"tasks":         `{"items":[{"seq":1},{"seq":2,"task_data":"of another shape"},{"seq":3}],"head":3}`,
		"notifications": `{"items":[{"notification_seq":1},{"notification_seq":2,"title":3},{"notification_seq":3}],"head":3}`,
	} {
		got, err := clients[name](&answer{body: body}).Read(context.Background(), "u", 0, 200)
		if err != nil || len(got.Events) != 1 || got.Head != 3 {
			t.Errorf("%s: got %+v (%v), want the first event and head 3", name, got, err)
		}
	}
}

func TestReadReturnsErrPruned(t *testing.T) {
	t.Parallel()
	for name, client := range clients {
		for status, pruned := range map[int]bool{410: true, 400: false, 404: false, 500: false, 503: false} {
			a := &answer{err: fmt.Errorf("invoke: %w", &dapr.InvokeError{AppID: "app", Status: status})}
			if _, err := client(a).Read(context.Background(), "u", 7, 200); errors.Is(err, hub.ErrPruned) != pruned || err == nil {
				t.Errorf("%s, status %d: got %v, want ErrPruned: %v", name, status, err, pruned)
			}
		}
	}
}

// Only the task API knows which accounts exist.
func TestReadReturnsErrNoAccount(t *testing.T) {
	t.Parallel()
	for name, client := range clients {
		for body, gone := range map[string]bool{
			`{"type":"urn:taskwire:problem:not-found","title":"Not found","status":404}`: name == "tasks",
			`{"type":"about:blank","detail":"urn:taskwire:problem:not-found"}`:           false,
			`404 page not found`: false,
			``:                   false,
		} {
			a := &answer{err: fmt.Errorf("invoke: %w", &dapr.InvokeError{AppID: "app", Status: 404, Body: []byte(body)})}
			if _, err := client(a).Read(context.Background(), "u", 7, 200); errors.Is(err, hub.ErrNoAccount) != gone || err == nil {
				t.Errorf("%s, 404 %q: got %v, want ErrNoAccount: %v", name, body, err, gone)
			}
		}
	}
}

// A missing user is gone for the task API, and has no notifications for the notification service.
func TestHeadsOfAMissingUser(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]string{
		"tasks":         `task-api POST /internal/heads {"user_ids":["u","v"]}`,
		"notifications": `notification POST /internal/notification-heads {"user_ids":["u","v"]}`,
	} {
		a := &answer{body: `{"heads":{"u":3}}`}
		got, err := clients[name](a).Heads(context.Background(), []string{"u", "v"})
		if v, there := got["v"]; err != nil || got["u"] != 3 || v != 0 || there != (name == "notifications") {
			t.Errorf("%s: Heads: got %v (%v)", name, got, err)
		}
		if a.got != call {
			t.Errorf("%s: call: got %s, want %s", name, a.got, call)
		}
	}
}

// An answer of another shape must not end every account.
func TestAnAnswerOfAnotherShapeIsAnError(t *testing.T) {
	t.Parallel()
	for name, client := range clients {
		for _, body := range []string{`<html>`, `{"heads":[]}`, `{}`, `null`, `{"heads":null}`} {
			if got, err := client(&answer{body: body}).Heads(context.Background(), []string{"u"}); err == nil {
				t.Errorf("%s: Heads from %s: got %+v, want an error", name, body, got)
			}
		}
		if got, err := client(&answer{body: `<html>`}).Read(context.Background(), "u", 0, 1); err == nil {
			t.Errorf("%s: Read: got %+v, want an error", name, got)
		}
	}
}
