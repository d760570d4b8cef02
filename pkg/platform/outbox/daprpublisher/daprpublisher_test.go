package daprpublisher_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/taskwire/taskwire/pkg/platform/dapr"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/pkg/platform/outbox/daprpublisher"
)

var _ outbox.Publisher = (*daprpublisher.Publisher)(nil)
var _ daprpublisher.Client = (*dapr.Client)(nil)

// client records what it is asked to publish.
type client struct {
	topic  string
	events []dapr.Event
	failed map[string]error
	err    error
}

func (c *client) PublishBulk(_ context.Context, topic string, events []dapr.Event) (map[string]error, error) {
	c.topic, c.events = topic, events
	return c.failed, c.err
}

func TestEveryFieldOfAMessageIsPublished(t *testing.T) {
	t.Parallel()
	m := outbox.Message{Topic: "tasks", Key: "k", EventID: "id", Type: "T", Subject: "s", Data: []byte("{}"), TraceParent: "00-"}
	c := &client{}
	if failed, err := daprpublisher.New(c).PublishBulk(t.Context(), "tasks", []outbox.Message{m}); len(failed) > 0 || err != nil {
		t.Fatalf("PublishBulk = %v, %v", failed, err)
	}
	want := []dapr.Event{{ID: "id", Key: "k", Type: "T", Subject: "s", Data: []byte("{}"), TraceParent: "00-"}}
	if c.topic != "tasks" || !reflect.DeepEqual(c.events, want) {
		t.Errorf("published %+v to %s, want %+v to tasks", c.events, c.topic, want)
	}
	// A field that is added to either type must be copied too: Message has the topic besides.
	if got, want := reflect.TypeFor[outbox.Message]().NumField(), reflect.TypeFor[dapr.Event]().NumField()+1; got != want {
		t.Errorf("a Message has %d fields, want %d", got, want)
	}
}

func TestARefusalOfTheSidecarIsOneOfTheOutbox(t *testing.T) {
	t.Parallel()
	refused := fmt.Errorf("too large: %w", dapr.ErrRefused)
	away := errors.New("away")
	c := &client{failed: map[string]error{"a": refused, "b": away}, err: refused}
	failed, err := daprpublisher.New(c).PublishBulk(t.Context(), "tasks", nil)
	if !errors.Is(failed["a"], outbox.ErrRefused) || !errors.Is(failed["a"], dapr.ErrRefused) || !errors.Is(err, outbox.ErrRefused) {
		t.Errorf("got %v and %v, want both refusals", failed["a"], err)
	}
	if failed["a"].Error() != refused.Error() {
		t.Errorf("got text %q, want %q", failed["a"], refused)
	}
	if errors.Is(failed["b"], outbox.ErrRefused) || !errors.Is(failed["b"], away) {
		t.Errorf("got %v, want the failure as it is", failed["b"])
	}
}
