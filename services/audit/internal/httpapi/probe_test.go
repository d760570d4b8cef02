package httpapi_test

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/testkit/apitest"
	"github.com/taskwire/taskwire/testkit/authtest"
)

// probeRounds is how often each route is called. With -short it is shortRounds.
const probeRounds, shortRounds = 60, 10

func rounds() int {
	if testing.Short() {
		return shortRounds
	}
	return probeRounds
}

func TestEveryRouteConformsToTheAPIDocument(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	task := uuid.NewString()
	var ids []string
	for v := range int64(20) {
		ids = append(ids, r.add(r.ann, task, v+1, events.Updated))
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	role := auth.RoleUser
	probe := apitest.Probe{
		Generator: apitest.NewGenerator(seed, map[string]func(apitest.Generator) any{
			"event_type": func(g apitest.Generator) any { return []any{apitest.Pick(g, []string{"created", "updated"})} },
			"field":      func(g apitest.Generator) any { return []any{apitest.Pick(g, events.TaskFields())} },
			"actor":      func(g apitest.Generator) any { return []any{apitest.Pick(g, []string{r.ann, "recurring-task"})} },
			"q":          func(g apitest.Generator) any { return apitest.Pick(g, []string{"a", "Straße 5", "$"}) },
		}),
		Document: r.document, Service: "audit",
		Send: func(req *http.Request) (int, http.Header, []byte) {
			req.Header.Set("Authorization", authtest.Bearer(t, r.signer, r.ann, role))
			w := httptest.NewRecorder()
			r.engine.ServeHTTP(w, req)
			return w.Code, w.Header(), w.Body.Bytes()
		},
	}
	probe.Sensible = func(operation string, path map[string]string, query url.Values, _ map[string]any) {
		switch operation {
		case "proveInclusion": // one of the two names the entry
			query.Del("position")
			query.Set("event_id", apitest.Pick(probe.Generator, ids))
		case "auditOfTask":
			path["id"] = apitest.Pick(probe.Generator, []string{task, uuid.NewString()})
		}
	}
	for _, role = range []string{auth.RoleUser, auth.RoleAuditor} {
		t.Logf("as %s: %v", role, probe.Run(t, rounds()/2))
	}
}
