package httpapi_test

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

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
	var ids []string
	for n := range 5 {
		ids = append(ids, r.notify(ada, n+1))
	}
	ids = append(ids, r.notify(bob, 9)) // another user's
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	probe := apitest.Probe{
		Generator: apitest.NewGenerator(seed, map[string]func(apitest.Generator) any{
			"timezone": func(g apitest.Generator) any { return apitest.Pick(g, []string{"UTC", "Asia/Kathmandu"}) },
			"start":    func(apitest.Generator) any { return "22:00" },
			"end":      func(apitest.Generator) any { return "07:30" },
		}),
		Document: r.document, Service: "notification",
		Send: func(req *http.Request) (int, http.Header, []byte) {
			req.Header.Set("Authorization", authtest.Bearer(t, r.signer, ada, auth.RoleUser))
			w := httptest.NewRecorder()
			r.engine.ServeHTTP(w, req)
			return w.Code, w.Header(), w.Body.Bytes()
		},
	}
	probe.Sensible = func(operation string, path map[string]string, _ url.Values, body map[string]any) {
		if _, ok := path["id"]; ok {
			path["id"] = apitest.Pick(probe.Generator, ids)
		}
		if operation == "snoozeNotification" { // one of the two
			clear(body)
			body["minutes"] = 1 + probe.IntN(60)
		}
	}
	t.Log(probe.Run(t, rounds()))
}
