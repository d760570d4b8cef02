package intruder

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// maxAnswer bounds how much of an answer is read.
const maxAnswer = 1 << 20

// harmless are the paths that may answer everybody. They say that a process is alive, count things, or describe the API.
var harmless = []string{
	"/healthz", "/readyz", "/metrics", "/v1.0/healthz", "/v1.0/healthz/outbound", "/docs", "/openapi.json", "/",
}

type attempt struct{ method, path, body string }

// attempts returns the routes of both sides of the services and of a sidecar's API.
func (p Plan) attempts() []attempt {
	event := fmt.Sprintf(`{"event_id":"01900000-0000-7000-8000-000000000001","event_type":"deleted","task_id":%q,"user_id":%q,"timestamp":"2030-01-01T00:00:00Z"}`, p.TaskID, p.UserID)
	cloudEvent := fmt.Sprintf(`{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000001","type":"deleted","source":"task-api","data":%s}`, event)
	all := []attempt{
		{"GET", "/internal/jwks", ""},
		{"GET", "/internal/changes?user_id=" + p.UserID + "&since=0", ""},
		{"GET", "/internal/notifications?user_id=" + p.UserID + "&since=0", ""},
		{"GET", "/internal/revocations?since=2020-01-01T00:00:00Z", ""},
		{"POST", "/internal/heads", `{"user_ids":["` + p.UserID + `"]}`},
		{"POST", "/internal/notification-heads", `{"user_ids":["` + p.UserID + `"]}`},
		{"POST", "/internal/next-occurrence", cloudEvent},
		{"POST", "/internal/successors", event},
		{"POST", "/internal/tokens:lookup", `{"hash":"0000000000000000000000000000000000000000000000000000000000000000"}`},
		{"GET", "/internal/checkpoint", ""},
		{"POST", "/internal/checkpoints", `{}`},
		{"POST", "/events/task-events", cloudEvent},
		{"POST", "/events/task-updates", cloudEvent},
		{"POST", "/events/reminders", cloudEvent},
		{"POST", "/events/notifications", cloudEvent},
		{"POST", "/events/account-events", cloudEvent},
		{"POST", "/fan-out/account-events", cloudEvent},
		{"POST", "/reminder-cron", ""},
		{"GET", "/dapr/config", ""},
		{"GET", "/dapr/subscribe", ""},
		{"GET", "/debug/pprof/", ""},
		{"GET", "/debug/vars", ""},
		{"GET", "/metrics", ""},
		{"GET", "/", ""},
		{"GET", "/readyz", ""},

		{"GET", "/v1.0/healthz", ""},
		{"GET", "/v1.0/metadata", ""},
		{"PUT", "/v1.0/metadata/taken", "over"},
		{"GET", "/v1.0/secrets/kubernetes-secrets/bulk", ""},
		{"GET", "/v1.0/state/statestore/any", ""},
		{"POST", "/v1.0/state/statestore", `[{"key":"stranger","value":"was here"}]`},
		{"DELETE", "/v1.0/state/statestore/any", ""},
		{"POST", "/v1.0/state/statestore/transaction", `{"operations":[]}`},
		{"POST", "/v1.0/publish/kafka-pubsub/task-events", event},
		{"POST", "/v1.0-alpha1/publish/bulk/kafka-pubsub/task-events", `[{"entryId":"1","event":"x","contentType":"text/plain"}]`},
		{"POST", "/v1.0/bindings/reminder-cron", `{"operation":"get"}`},
		{"GET", "/v1.0/configuration/any", ""},
		{"POST", "/v1.0-alpha1/lock/any", `{}`},
		{"GET", "/v1.0/actors/any/any/state/any", ""},
		{"POST", "/v1.0/actors/any/any/method/any", ""},
		{"POST", "/v1.0/workflows/dapr/any/start", ""},

		{"GET", "/tasks", ""},
		{"POST", "/tasks", `{"title":"a stranger's"}`},
		{"DELETE", "/tasks/" + p.TaskID, ""},
		{"GET", "/api/v1/tasks/" + p.TaskID, ""},
		{"GET", "/audit", ""},
		{"GET", "/notifications", ""},
		{"GET", "/me", ""},
	}
	for _, app := range p.Apps {
		all = append(all,
			attempt{"GET", "/v1.0/secrets/kubernetes-secrets/" + app, ""},
			attempt{"GET", "/v1.0/invoke/" + app + "/method/internal/changes?user_id=" + p.UserID + "&since=0", ""},
			attempt{"POST", "/v1.0/invoke/" + app + "/method/events/task-events", cloudEvent},
		)
	}
	return append(all, attempt{"POST", "/v1.0/shutdown", ""}) // the last one: nothing answers after it
}

// guesses are the headers of an attempt: none, and what a caller without the tokens can write.
var guesses = []map[string]string{
	{},
	{"dapr-api-token": "guessed", "dapr-app-id": "task-api", "dapr-caller-app-id": "websocket", "Authorization": "Bearer guessed"},
	{"dapr-api-token": "", "dapr-app-id": "task-api"},
}

// tryHTTP sends every route. A path that is not harmless must not be answered with success.
func (p Plan) tryHTTP(ctx context.Context, port Port, report func(string, ...any)) {
	client := &http.Client{
		Timeout:       attemptTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{MaxIdleConnsPerHost: 1},
	}
	defer client.CloseIdleConnections()
	base := fmt.Sprintf("http://127.0.0.1:%d", port.Number)
	answered := false
	for _, a := range p.attempts() {
		for _, headers := range guesses {
			status, body, err := send(ctx, client, base, a, headers)
			switch {
			case err != nil && !answered:
				return // it does not speak HTTP
			case err != nil:
				continue // some routes get no answer: the next one may
			}
			answered = true
			path, _, _ := strings.Cut(a.path, "?")
			switch {
			case p.tells(body):
				report("%s %s tells about the user: status %d", a.method, a.path, status)
			case isMetrics(body) && strings.Contains(body, p.UserID):
				report("%s %s: the metrics name a user", a.method, a.path)
			case status/100 == 2 && !isMetrics(body) && !isHarmless(a.method, path):
				report("%s %s: status %d, %.200s", a.method, a.path, status, body)
			}
		}
	}
}

// isHarmless reports whether everybody may have the path.
func isHarmless(method, path string) bool {
	return method == http.MethodGet && slices.Contains(harmless, path)
}

// isMetrics reports whether an answer is a page of metrics. A sidecar's server of metrics answers every path with it.
func isMetrics(body string) bool { return strings.HasPrefix(body, "# HELP ") }

func send(ctx context.Context, client *http.Client, base string, a attempt, headers map[string]string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, a.method, base+a.path, strings.NewReader(a.body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, "", err
	}
	return resp.StatusCode, string(raw), nil
}
