// What a request looks like to its upstream, and the answer if there is none.

package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/taskwire/taskwire/local/routes"
)

// idlePerUpstream keeps connections open for a burst of clients. With the default of 2 nearly each request dials.
const idlePerUpstream = 256

// noSniff is the name of a header that every answer has once.
const noSniff = "X-Content-Type-Options"

// retryAfter is the Retry-After header.
var retryAfter = strconv.Itoa(int(routes.RetryAfter.Seconds()))

func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: routes.DialTimeout, KeepAlive: 30 * time.Second}
	return &http.Transport{
		DialContext: dialer.DialContext, MaxIdleConnsPerHost: idlePerUpstream, IdleConnTimeout: routes.UpstreamIdleTimeout,
		ResponseHeaderTimeout: routes.AnswerTimeout,
		DisableCompression:    true, // else the transport would unpack an answer that the client asked to have packed
	}
}

type upstream struct {
	name string
	log  *slog.Logger
	down atomic.Bool // makes an outage one line in the log, not one for each request
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
			pr.Out.Host = pr.In.Host // the services compare Origin with it
			// ReverseProxy has dropped parameters that it cannot parse. The service has to see and refuse them, or a
			// filter would be missing from a request that succeeds.
			pr.Out.URL.RawQuery = pr.In.URL.RawQuery
			pr.SetXForwarded()
			for _, h := range routes.InsideHeaders {
				pr.Out.Header.Del(h)
			}
		},
		ModifyResponse: func(resp *http.Response) error {
			resp.Header.Del(noSniff) // ReverseProxy adds to the headers that are there
			if u.down.Load() && u.down.Swap(false) {
				log.Info("upstream answers again", "upstream", name)
			}
			return nil
		},
		ErrorHandler: u.failed,
		ErrorLog:     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}, nil
}

// clientBody is the body of a request. It keeps the error of reading it, which is the client's and not the upstream's.
type clientBody struct {
	io.ReadCloser
	failed atomic.Pointer[error]
}

func (b *clientBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.failed.CompareAndSwap(nil, &err)
	}
	return n, err
}

// clientBodyKey finds the clientBody in a request's context: the proxy puts other bodies around it.
type clientBodyKey struct{}

// watchBody returns the request with a clientBody.
func watchBody(r *http.Request) *http.Request {
	if r.Body == nil || r.Body == http.NoBody {
		return r
	}
	b := &clientBody{ReadCloser: r.Body}
	r = r.WithContext(context.WithValue(r.Context(), clientBodyKey{}, b))
	r.Body = b
	return r
}

// bodyError returns why the client's body could not be read, or nil.
func bodyError(r *http.Request) error {
	if b, ok := r.Context().Value(clientBodyKey{}).(*clientBody); ok {
		if err := b.failed.Load(); err != nil {
			return *err
		}
	}
	return nil
}

// failed answers a request whose upstream gave no answer.
func (u *upstream) failed(w http.ResponseWriter, r *http.Request, err error) {
	if broken := bodyError(r); broken != nil {
		u.log.Debug("the body of a request cannot be read", "upstream", u.name, "error", broken)
		w.Header().Set("Connection", "close") // where the next request begins is not known
		if errors.Is(broken, os.ErrDeadlineExceeded) {
			problem(w, r, http.StatusRequestTimeout, "the body of the request did not arrive in time")
			return
		}
		problem(w, r, http.StatusBadRequest, "the body of the request is not complete or not in the form of HTTP, so it was not carried out as a whole")
		return
	}
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil { // read only by a client that closed its sending side alone
		w.Header().Set("Connection", "close")
		problem(w, r, http.StatusBadRequest, "the connection was closed before the answer. The request may have been carried out")
		return
	}
	if !u.down.Swap(true) {
		u.log.Warn("upstream does not answer", "upstream", u.name, "error", err)
	}
	w.Header().Set("Retry-After", retryAfter)
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		problem(w, r, http.StatusServiceUnavailable, u.name+" cannot be reached at the moment. The request was not sent: repeat it")
		return
	}
	problem(w, r, http.StatusBadGateway, u.name+" did not answer. The request may have been carried out")
}

// problemDocument is the form in which all services answer errors (RFC 9457).
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

// traceID returns the client's trace id (W3C traceparent: version-trace-span-flags), "" where there is none.
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
