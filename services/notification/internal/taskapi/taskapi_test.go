package taskapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
)

// answer is a task API that returns one answer and records the call. A whole-stack test covers the sidecars.
type answer struct {
	body string
	err  error
	got  string
}

func (a *answer) Invoke(_ context.Context, app, method, path string, body any) (int, []byte, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	a.got = fmt.Sprint(app, " ", method, " ", path, " ", string(raw))
	return 200, []byte(a.body), a.err
}

func TestWhoHasAHeadHasAnAccount(t *testing.T) {
	a := &answer{body: `{"heads":{"u":3,"w":0}}`}
	got, err := New(a).Existing(t.Context(), []string{"u", "v", "w"})
	if err != nil || !got["u"] || got["v"] || !got["w"] {
		t.Errorf("Existing: got %v (%v), want u and w", got, err)
	}
	if want := `task-api POST internal/heads {"user_ids":["u","v","w"]}`; a.got != want {
		t.Errorf("call: got %s, want %s", a.got, want)
	}
}

func TestOnlyAnAnswerReportsThatAnAccountIsGone(t *testing.T) {
	for _, a := range []*answer{{body: `<html>`}, {body: `{}`}, {body: `{"heads":null}`}, {body: `[]`}, {err: errors.New("away"), body: `{"heads":{}}`}} {
		if got, err := New(a).Existing(t.Context(), []string{"u"}); err == nil {
			t.Errorf("answer %+v: got %v, want an error: everybody would be forgotten", a, got)
		}
	}
	if got, err := New(&answer{body: `{"heads":{}}`}).Existing(t.Context(), []string{"u"}); err != nil || len(got) != 0 {
		t.Errorf("Existing: got %v (%v), want no account", got, err)
	}
}
