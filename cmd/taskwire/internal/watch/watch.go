// Package watch is the WebSocket client of a terminal. It connects as a browser does and prints every frame as one line of
// JSON. The protocol is in pkg/events/live.
//
// Promises: when a connection ends, watch connects again from the last numbers that it saw, so it prints each change of the
// user's tasks and each notification once and in order. It waits as long as the server asks for. When the server refuses the
// access token, watch gets a new one with the refresh token, if it has one, and goes on from the last numbers. Else, and for
// every other end that another attempt cannot change, it ends with ErrRefused and the server's words.
package watch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/taskwire/taskwire/pkg/events/live"
)

const (
	// firstPause is the pause before the first attempt to reconnect. It is long enough for a restarted gateway to listen.
	firstPause = 500 * time.Millisecond
	// maxPause bounds how long a watch notices nothing of a server that is back.
	maxPause = 5 * time.Second
)

// ErrRefused says that the server refuses this client, and would again: for example, its token is not valid.
var ErrRefused = errors.New("the server refused the connection")

// Config is what to watch.
type Config struct {
	URL   string // of the gateway: http://localhost:8080
	Token string // an access token or an API token; with Renew it may be empty
	// Renew returns a new access token. It is called when the server refuses the present one, and once only for a token that
	// it has not welcomed. An ErrRefused ends the watch; another error is retried. nil: a refused token ends the watch.
	Renew              func(ctx context.Context) (string, error)
	Since              int64 // the last seq that is already known; negative: start at the newest change
	NotificationsSince int64 // the same for notification_seq
	Count              int   // end after this many events and notifications; 0: never
	Out                io.Writer
	// Warn gets the reason why a connection ended or failed. It is called once for the same reason in a row. May be nil.
	Warn func(reason error)
}

// Run prints frames until it has seen Count events and notifications, and then returns nil. The error is ErrRefused, or
// that of ctx with the number of frames seen.
func Run(ctx context.Context, cfg Config) error { return run(ctx, cfg, firstPause, maxPause) }

func run(ctx context.Context, cfg Config, firstPause, maxPause time.Duration) error {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("%q is not an address like http://localhost:8080", cfg.URL)
	}
	origin := u.Scheme + "://" + u.Host
	u.Scheme = map[string]string{"http": "ws", "https": "wss"}[u.Scheme]
	pauses := &reconnectPauses{growing: &backoff.ExponentialBackOff{
		InitialInterval: firstPause, MaxInterval: maxPause, Multiplier: backoff.DefaultMultiplier, RandomizationFactor: backoff.DefaultRandomizationFactor,
	}}
	w := &watcher{cfg: cfg, ws: u.JoinPath("ws").String(), origin: origin, pauses: pauses, needsToken: cfg.Token == "" && cfg.Renew != nil}
	var last error // why the latest connection ended
	_, err = backoff.Retry(ctx, func() (struct{}, error) {
		seen := w.seen
		err := w.attempt(ctx)
		switch {
		case w.done():
			return struct{}{}, nil
		case ctx.Err() != nil:
			return struct{}{}, err
		case errors.Is(err, ErrRefused):
			return struct{}{}, backoff.Permanent(err)
		}
		if repeated := last != nil && last.Error() == err.Error() && w.seen == seen; !repeated && cfg.Warn != nil {
			cfg.Warn(err)
		}
		last = err
		return struct{}{}, err
	}, backoff.WithBackOff(pauses), backoff.WithMaxElapsedTime(0))
	switch {
	case err == nil || errors.Is(err, ErrRefused):
		return err
	case last == nil:
		return fmt.Errorf("%s: %w", w.progress(), err)
	default:
		return fmt.Errorf("%s: %w; before that: %s", w.progress(), err, last.Error())
	}
}

// reconnectPauses grow with each failed attempt. A pause is never shorter than the server asks for.
type reconnectPauses struct {
	growing *backoff.ExponentialBackOff
	asked   time.Duration // by the server, for the next pause
}

// NextBackOff implements backoff.BackOff.
func (p *reconnectPauses) NextBackOff() time.Duration {
	pause := max(p.growing.NextBackOff(), p.asked)
	p.asked = 0
	return pause
}

// Reset implements backoff.BackOff. A session that was welcomed calls it.
func (p *reconnectPauses) Reset() { p.growing.Reset() }

// apiToken begins an API token. It is valid when it has kept a connection as long as it may, and is sent again: if it is not, the
// server says that then.
const apiToken = "twp_"

// watcher is the state that outlives a connection.
type watcher struct {
	cfg        Config
	ws, origin string
	pauses     *reconnectPauses
	seen       int // events and notifications

	needsToken bool // before the next connection
	renewed    bool // the token is new: no connection was welcomed with it
}

// attempt is one connection, with a new token if the last one was refused.
func (w *watcher) attempt(ctx context.Context) error {
	if w.needsToken {
		token, err := w.cfg.Renew(ctx)
		if err != nil {
			return err
		}
		w.cfg.Token, w.needsToken, w.renewed = token, false, true
	}
	err := w.session(ctx)
	r, refused := errors.AsType[*refusal](err)
	if refused && r.expired && strings.HasPrefix(w.cfg.Token, apiToken) {
		return errors.New("the server asks for the API token again")
	}
	if refused && r.action == live.NewToken && w.cfg.Renew != nil && !w.renewed {
		w.needsToken = true
		return errors.New(r.message + " Getting a new one with the refresh token")
	}
	return err
}

func (w *watcher) done() bool { return w.cfg.Count > 0 && w.seen >= w.cfg.Count }

func (w *watcher) progress() string {
	if w.cfg.Count > 0 {
		return fmt.Sprintf("saw %d of %d frames", w.seen, w.cfg.Count)
	}
	return fmt.Sprintf("saw %d frames", w.seen)
}

// refusal is an ErrRefused with the server's words, and what the client has to do.
type refusal struct {
	message string
	action  live.Action
	expired bool // the server has closed with token_expired
}

// Error returns the words, and where a token comes from if one is needed.
func (r *refusal) Error() string {
	text := ErrRefused.Error() + ": " + r.message
	if r.action == live.NewToken {
		text += " Get a new access token with POST /api/v1/auth/login."
	}
	return text
}

// Unwrap returns ErrRefused.
func (*refusal) Unwrap() error { return ErrRefused }
