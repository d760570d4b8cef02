package revocation

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/auth"
)

// invoker answers one call.
type invoker struct {
	answer string
	err    error
	method string
	path   string
}

func (i *invoker) Invoke(_ context.Context, _, method, path string, _ any) (status int, resp []byte, err error) {
	i.method, i.path = method, path
	return http.StatusOK, []byte(i.answer), i.err
}

func TestTheTaskAPIIsAskedForAPage(t *testing.T) {
	t.Parallel()
	i := &invoker{answer: `{"items":[{"kind":"role","id":"a","user_id":"a","role":"user","at":"2027-03-01T12:00:00.5Z"}],"next":"n","has_more":true}`}
	since := time.Date(2027, 3, 1, 13, 0, 0, 1000, time.FixedZone("", 3600))
	got, err := TaskAPI(i).Revocations(t.Context(), since, "a b", 7)
	if err != nil {
		t.Fatal(err)
	}
	want := auth.Revocation{Kind: auth.RevokedRole, ID: "a", UserID: "a", Role: "user", At: time.Date(2027, 3, 1, 12, 0, 0, 500_000_000, time.UTC)}
	if len(got.Items) != 1 || got.Items[0] != want || got.Next != "n" || !got.More {
		t.Errorf("got %+v, want the item %+v", got, want)
	}
	path, query, _ := strings.Cut(i.path, "?")
	values, err := url.ParseQuery(query)
	if err != nil || i.method != http.MethodGet || path != Route {
		t.Errorf("asked %s %s (%v), want GET %s", i.method, i.path, err, Route)
	}
	for name, want := range map[string]string{"since": "2027-03-01T12:00:00.000001Z", "after": "a b", "limit": "7"} {
		if got := values.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if _, err := TaskAPI(i).Revocations(t.Context(), since, "", 7); err != nil || strings.Contains(i.path, "after") {
		t.Errorf("the first page: asked %s (%v), want it without after", i.path, err)
	}
}

func TestAnAnswerOfAnotherShapeIsNoList(t *testing.T) {
	t.Parallel()
	for name, i := range map[string]*invoker{
		"no items":  {answer: `{}`},
		"not JSON":  {answer: `<html>`},
		"a failure": {err: errors.New("no such host")},
	} {
		if page, err := TaskAPI(i).Revocations(t.Context(), time.Now(), "", 7); err == nil {
			t.Errorf("%s: got %+v, want an error", name, page)
		}
	}
}
