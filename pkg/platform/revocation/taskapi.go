package revocation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/taskwire/taskwire/pkg/events/apps"
)

// Route is the route of the task API's revocations on its Dapr side.
const Route = "/internal/revocations"

// Invoker is the part of the Dapr client that invokes.
type Invoker interface {
	Invoke(ctx context.Context, appID, httpMethod, path string, body any) (status int, resp []byte, err error)
}

// TaskAPI returns the source of every service but the task API: it asks the task API through the sidecar.
func TaskAPI(i Invoker) Source { return taskAPI{i} }

type taskAPI struct{ invoker Invoker }

// Revocations implements Source.
func (t taskAPI) Revocations(ctx context.Context, since time.Time, after string, limit int) (Page, error) {
	query := url.Values{"since": {since.UTC().Format(time.RFC3339Nano)}, "limit": {strconv.Itoa(limit)}}
	if after != "" {
		query.Set("after", after)
	}
	_, raw, err := t.invoker.Invoke(ctx, apps.TaskAPI, http.MethodGet, Route+"?"+query.Encode(), nil)
	if err != nil {
		return Page{}, err
	}
	var page Page
	if err := json.Unmarshal(raw, &page); err != nil {
		return Page{}, fmt.Errorf("decode the answer to GET %s: %w", Route, err)
	}
	if page.Items == nil { // not an answer of this route: nothing is known
		return Page{}, errors.New("the answer to GET " + Route + " has no items")
	}
	return page, nil
}
