package gateway

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/local/ports"
	"github.com/taskwire/taskwire/testkit/porttest"
)

func TestReadyzIs200OnlyWhenEveryPartIsReady(t *testing.T) {
	status := func(code int) string {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
		t.Cleanup(srv.Close)
		return srv.URL + "/readyz"
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	open := "tcp://" + l.Addr().String()
	shut := "tcp://" + ports.Loopback(porttest.Closed(t))
	for name, tc := range map[string]struct {
		parts map[string]string
		want  int
		down  string
	}{
		"all ready":         {map[string]string{"task-api": status(200), "audit-daprd": status(204), "postgres": open}, 200, ""},
		"a service is not":  {map[string]string{"task-api": status(503), "postgres": open}, 503, "task-api"},
		"a port is shut":    {map[string]string{"task-api": status(200), "broker": shut}, 503, "broker"},
		"a service is gone": {map[string]string{"audit": "http://" + strings.TrimPrefix(shut, "tcp://") + "/readyz"}, 503, "audit"},
		"a part redirects":  {map[string]string{"audit": status(302)}, 503, "audit"},
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := serve(t, Config{Upstreams: upstreams(t, echo), Ready: tc.parts})
			resp, body := get(t, url+"/readyz")
			var got Readiness
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tc.want || got.Ready != (tc.want == 200) || len(got.Parts) != len(tc.parts) {
				t.Errorf("got %d %s, want %d", resp.StatusCode, body, tc.want)
			}
			for part, r := range got.Parts {
				if r.Ready == (part == tc.down) {
					t.Errorf("part %s: got ready %v", part, r.Ready)
				}
			}
			if resp, _ := get(t, url+"/healthz"); resp.StatusCode != http.StatusOK {
				t.Errorf("/healthz: got %d, want 200: the gateway itself is well", resp.StatusCode)
			}
		})
	}
}
