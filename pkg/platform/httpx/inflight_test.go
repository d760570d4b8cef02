package httpx

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
)

func TestAnAddressHasABoundedNumberOfRequestsAtATime(t *testing.T) {
	var log bytes.Buffer
	e := NewEngine(Config{MaxInFlight: 2, TrustedProxies: []string{"127.0.0.1"}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	entered, release := make(chan struct{}), make(chan struct{})
	e.GET("/slow", func(c *gin.Context) { entered <- struct{}{}; <-release; c.Status(http.StatusNoContent) })
	e.GET("/fast", func(c *gin.Context) { c.Status(http.StatusNoContent) })
	srv := httptest.NewServer(e)
	defer srv.Close()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	send := func(path, from string) *http.Response {
		req, err := http.NewRequest(http.MethodGet, srv.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Forwarded-For", from)
		resp, err := client.Do(req)
		if err != nil {
			t.Error(err)
			return &http.Response{}
		}
		resp.Body.Close()
		return resp
	}
	answered := make(chan *http.Response, 2)
	for _, from := range []string{"2001:db8:1:1::1", "2001:db8:1:1::2"} { // one /64 is one address
		go func() { answered <- send("/slow", from) }()
		<-entered
	}
	if resp := send("/fast", "2001:db8:1:1::3"); resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("a third request: got %d with Retry-After %q, want 429 and 1", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	if got := log.String(); !strings.Contains(got, "requests are refused") || !strings.Contains(got, "2001:db8:1:1::/64") {
		t.Errorf("got the log %q, want a line with the address", got)
	}
	if resp := send("/fast", "2001:db8:1:2::1"); resp.StatusCode != http.StatusNoContent {
		t.Errorf("another address: got %d, want 204", resp.StatusCode)
	}
	close(release)
	for range 2 {
		if resp := <-answered; resp.StatusCode != http.StatusNoContent {
			t.Errorf("a request within the limit: got %d, want 204", resp.StatusCode)
		}
	}
	if resp := send("/fast", "2001:db8:1:1::1"); resp.StatusCode != http.StatusNoContent {
		t.Errorf("after they have ended: got %d, want 204", resp.StatusCode)
	}
}

func TestStrictTransportIsSentWhereAProxyEndsTLS(t *testing.T) {
	e := NewEngine(Config{TrustedProxies: []string{"192.0.2.1"}}) // the address of httptest's requests
	other := NewEngine(Config{})
	for name, c := range map[string]struct {
		engine *gin.Engine
		proto  []string
		want   int
	}{
		"over TLS":                      {e, []string{"https"}, 1},
		"over TLS to the last proxy":    {e, []string{"http, https"}, 1},
		"over HTTP":                     {e, []string{"http"}, 0},
		"over HTTP to the last proxy":   {e, []string{"https", "http"}, 0},
		"without a proxy's word":        {e, nil, 0},
		"said by a client, not a proxy": {other, []string{"https"}, 0},
	} {
		for _, path := range []string{"/none", "/x?%"} {
			got := do(t, c.engine, "GET", path, http.Header{"X-Forwarded-Proto": c.proto}).Header().Values("Strict-Transport-Security")
			if len(got) != c.want || c.want == 1 && got[0] != strictTransport {
				t.Errorf("%s, GET %s: got %q, want %d", name, path, got, c.want)
			}
		}
	}
}
