package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// dialTimeout: the upstreams are on the same machine or network.
	dialTimeout = 2 * time.Second
	// responseTimeout bounds the wait for the first byte of an answer; the services' own limits are shorter.
	responseTimeout = 60 * time.Second
	// idlePerUpstream keeps connections for a burst of clients open; the default of 2 dials anew all the time.
	idlePerUpstream = 256
	// idleUpstream is shorter than the time after which the services close an idle connection, so that a request is
	// not sent into one that is being closed.
	idleUpstream = 30 * time.Second
	// retryAfter, in seconds: a part is back within one where it was restarted.
	retryAfter = "1"
)

func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	return &http.Transport{
		DialContext: dialer.DialContext, MaxIdleConnsPerHost: idlePerUpstream, IdleConnTimeout: idleUpstream,
		ResponseHeaderTimeout: responseTimeout, DisableCompression: true, // the answer passes as it is
	}
}

// insideHeaders are of the Dapr side and mean nothing when they come from outside.
var insideHeaders = []string{"Dapr-Api-Token", "Dapr-App-Id", "Dapr-Caller-App-Id"}

type upstream struct {
	name string
	log  *slog.Logger
	down atomic.Bool // so that an outage is one line, not one a request
}

func newProxy(name, base string, transport http.RoundTripper, log *slog.Logger) (http.Handler, error) {
	target, err := url.Parse(base)
	if err != nil || target.Host == "" || (target.Scheme != "http" && target.Scheme != "https") {
		return nil, fmt.Errorf("upstream %s: %q is not an address like http://127.0.0.1:8081", name, base)
	}
	u := &upstream{name: name, log: log}
	return &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.SetURL(target)
			pr.Out.Host = pr.In.Host // the services check Origin against it
			pr.SetXForwarded()
			for _, h := range insideHeaders {
				pr.Out.Header.Del(h)
			}
		},
		ModifyResponse: func(*http.Response) error {
			if u.down.Load() && u.down.Swap(false) {
				log.Info("upstream answers again", "upstream", name)
			}
			return nil
		},
		ErrorHandler: u.failed,
		ErrorLog:     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}, nil
}

// failed answers a request that got no answer from its upstream.
func (u *upstream) failed(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return // the client went away
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		problem(w, r, http.StatusRequestEntityTooLarge, "the request is too large")
		return
	}
	if !u.down.Swap(true) {
		u.log.Warn("upstream does not answer", "upstream", u.name, "error", err)
	}
	w.Header().Set("Retry-After", retryAfter)
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		problem(w, r, http.StatusServiceUnavailable, u.name+" cannot be reached at the moment; the request was not sent, repeat it")
		return
	}
	problem(w, r, http.StatusBadGateway, u.name+" did not answer; the request may have been carried out")
}

// problemDocument is an error as all services answer it (RFC 9457).
type problemDocument struct {
	Type    string `json:"type"`
	Title   string `json:"title"`
	Status  int    `json:"status"`
	Detail  string `json:"detail"`
	TraceID string `json:"trace_id,omitempty"`
}

func problem(w http.ResponseWriter, r *http.Request, status int, detail string) {
	writeJSON(w, r, status, "application/problem+json", problemDocument{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, TraceID: traceID(r),
	})
}

// traceID is the trace that a client began (W3C traceparent: version-trace-span-flags).
func traceID(r *http.Request) string {
	if f := strings.Split(r.Header.Get("Traceparent"), "-"); len(f) == 4 && len(f[1]) == 32 && strings.Trim(f[1], "0123456789abcdef") == "" {
		return f[1]
	}
	return ""
}

func writeJSON(w http.ResponseWriter, r *http.Request, status int, contentType string, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "cannot encode the answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(append(body, '\n')) // the client went away
	}
}

func onlyGet(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	problem(w, r, http.StatusMethodNotAllowed, "only GET is allowed here")
	return false
}
