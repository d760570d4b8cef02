// When /readyz answers 200.

package gateway

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	// probeTimeout bounds one question to one part.
	probeTimeout = 2 * time.Second
	// keepFor is how long an answer is reused. /readyz is open to everybody, and one question asks every part.
	keepFor = 250 * time.Millisecond
	// maxProbeBody bounds how much of a part's answer is read.
	maxProbeBody = 64 << 10
)

// PartReadiness is the answer for one part.
type PartReadiness struct {
	Ready  bool   `json:"ready"`
	Detail string `json:"detail,omitempty"`
}

// Readiness is the answer of /readyz: 200 when Ready, else 503.
type Readiness struct {
	Ready bool                     `json:"ready"`
	Parts map[string]PartReadiness `json:"parts"`
}

type readiness struct {
	targets map[string]*url.URL
	client  *http.Client

	mu   sync.Mutex // held while the parts are asked; callers that wait for it get the same answer
	last Readiness
	at   time.Time
}

func newReadiness(targets map[string]string) (*readiness, error) {
	rd := &readiness{
		targets: map[string]*url.URL{},
		client: &http.Client{
			Transport:     &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: probeTimeout}).DialContext},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	for name, raw := range targets {
		u, err := url.Parse(raw)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "tcp") {
			return nil, fmt.Errorf("readiness of %s: %q is not an address like http://127.0.0.1:8081/readyz or tcp://127.0.0.1:5432", name, raw)
		}
		rd.targets[name] = u
	}
	return rd, nil
}

func (rd *readiness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := rd.check(context.WithoutCancel(r.Context()))
	status := http.StatusOK
	if !answer.Ready {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", retryAfter)
	}
	writeJSON(w, r, status, "application/json", answer)
}

func (rd *readiness) check(ctx context.Context) Readiness {
	rd.mu.Lock()
	defer rd.mu.Unlock()
	if time.Since(rd.at) < keepFor {
		return rd.last
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	answer := Readiness{Ready: true, Parts: map[string]PartReadiness{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for name, u := range rd.targets {
		wg.Go(func() {
			part := PartReadiness{Ready: true}
			if detail := rd.probe(ctx, u); detail != "" {
				part = PartReadiness{Detail: detail}
			}
			mu.Lock()
			defer mu.Unlock()
			answer.Parts[name] = part
			answer.Ready = answer.Ready && part.Ready
		})
	}
	wg.Wait()
	rd.last, rd.at = answer, time.Now()
	return answer
}

// probe returns what is wrong with a part, "" if nothing is. Everybody may read it, so it names no address and quotes no
// answer.
func (rd *readiness) probe(ctx context.Context, u *url.URL) string {
	if u.Scheme == "tcp" {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", u.Host)
		if err != nil {
			return "cannot be reached"
		}
		conn.Close()
		return ""
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return "cannot be asked"
	}
	resp, err := rd.client.Do(req)
	if err != nil {
		return "cannot be reached"
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxProbeBody))
	if resp.StatusCode/100 != 2 {
		return fmt.Sprintf("not ready (status %d)", resp.StatusCode)
	}
	return ""
}
